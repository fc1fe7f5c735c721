/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The argument list while it grows, and what the groups of arguments need to know.
 *
 * Groups return nothing: the first error is kept in the builder and ends the work after the group that found it.
 */
#pragma once

#include "argv/argv-private.h"
#include "host/machines.h"
#include "host/host-private.h"

typedef struct UtmArgvBuilder {
	const UtmConfigQemu *config;
	const UtmHostFacts *facts;
	const UtmArgvRuntime *runtime;
	const char *bundle_path;

	/* Derived before the first group; see utm__argv_prepare(). */
	bool macos;
	bool exact; /* with UTM's faults; macOS only */
	const UtmArgvArchitecture *architecture;
	const UtmArgvMachine *machine;
	const char *target;
	const char *uuid;     /* upper case */
	bool pc;              /* the PC family, isapc included */
	bool virt;            /* the target's name starts like that of the paravirtual machine */
	bool classic_mac_68k; /* q800 */
	bool classic_mac_ppc; /* mac99 */
	bool accelerated;
	bool usb;
	bool usb_card; /* the machine has no controller of its own: a card is it */
	bool host_audio;
	bool boot_index_off;
	UtmFirmwareChoice firmware; /* Linux only; UTM's own files have fixed names */
	int gl_display;             /* the display that gets OpenGL, or -1 */
	guint cores;
	guint threads; /* logical CPUs, not per core */
	GPtrArray *user_arguments;

	/* The result. All strings live in `chunk`. */
	GStringChunk *chunk;
	GPtrArray *strings;
	GPtrArray *key_paths;
	GByteArray *values; /* 1 for each string that is the value of the one before it */
	GPtrArray *warnings;
	UtmError *error;
	GArray *problems; /* of UtmArgvProblem: all are gathered, and none ends the work; NULL: the first error does */

	const char *key_path; /* what is being looked at */
	GString *value;       /* of the last option, still growing; in use when `open` */
	const char *value_key_path;
	bool open;
} UtmArgvBuilder;

void utm__builder_init(UtmArgvBuilder *b);
void utm__builder_clear(UtmArgvBuilder *b);
/* Ends the last value; after that `strings` is complete. */
void utm__builder_flush(UtmArgvBuilder *b);

/* From here on arguments, warnings and errors come from this key. NULL: from nowhere in particular. */
void utm__builder_at(UtmArgvBuilder *b, const char *key_path_format, ...) G_GNUC_PRINTF(2, 3);

/* An argument that stands alone. */
void utm__add_flag(UtmArgvBuilder *b, const char *text);
/* An option and its value. Free text in the value goes through utm__quote(), names through utm__name(). */
void utm__add(UtmArgvBuilder *b, const char *option, const char *value_format, ...) G_GNUC_PRINTF(3, 4);
/* Continues the value that was added last. */
void utm__add_more(UtmArgvBuilder *b, const char *value_format, ...) G_GNUC_PRINTF(2, 3);
/* `,key=text`, nothing when the text is NULL. */
void utm__add_text(UtmArgvBuilder *b, const char *key, const char *text);

/* The text with its commas doubled, as QEMU wants them inside a comma-separated value. */
const char *utm__quote(UtmArgvBuilder *b, const char *text);
/* The same for text that is no path, which UTM leaves as it is. */
const char *utm__text(UtmArgvBuilder *b, const char *text);
/*
 * The name of a device, machine, CPU or CPU flag: these stand first in their value, where QEMU also reads JSON,
 * lists of properties and the word "help". Fails unless the text is a plain name.
 */
const char *utm__name(UtmArgvBuilder *b, const char *text, const char *what);

/* A line for people, about the current key. */
void utm__warn(UtmArgvBuilder *b, UtmArgvProblemKind kind, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Fails about the current key. Only the first error counts. */
void utm__refuse(UtmArgvBuilder *b, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The same with an error that somebody else made. */
void utm__refuse_error(UtmArgvBuilder *b, UtmError *error_taken);
