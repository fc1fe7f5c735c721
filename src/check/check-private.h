/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rules of a check share. A rule looks at one subject and tells everything it finds with utm__find(); it neither
 * fails nor stops. What a finding is worth stands in qapi/finding-registry.toml.
 */
#pragma once

#include "config/config-private.h"
#include "host/hardware.h"
#include "host/host-private.h"
#include "host/machines.h"

#include <utm/findings.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmFindings, utm_findings_free)

/* The table that is made of the registry; number 1 comes first. */
typedef struct UtmFindingEntry {
	uint32_t severity;
	const char *name;
	const char *remedy;
} UtmFindingEntry;

extern const UtmFindingEntry utm__finding_table[];
extern const unsigned utm__finding_table_count;

/* More are not listed: whoever has so many mends some and checks again. */
#define UTM_FINDINGS_MAX 1000

typedef struct UtmCheck {
	const UtmConfig *config;
	const UtmConfigQemu *qemu;   /* NULL: the other back end */
	const UtmConfigApple *apple; /* NULL: the other back end */
	const UtmHost *host;         /* for QEMU: the one that was named, or a typical one */
	bool any_host;               /* none was named: what a host lacks is not worth a word */
	const char *bundle_path;
	UtmFindings *findings;

	/* For QEMU. */
	const UtmArgvArchitecture *architecture; /* nullable */
	const UtmArgvMachine *machine;
	bool machine_known;    /* it stands in the table, so what it lacks is known too */
	UtmHardware *hardware; /* what there is for it: the one that was named, or the list that the library brings (nullable) */

	char key_path[4096]; /* what is being looked at; empty: nothing in particular */
	const char *file;    /* (nullable) */
} UtmCheck;

/* --- findings.c --- */

UtmFindings *utm__findings_new(void);
/* Puts the worst first. */
void utm__findings_sort(UtmFindings *findings);

/* From here on findings are about this key; NULL: about none. */
void utm__check_at(UtmCheck *check, const char *key_path_format, ...) G_GNUC_PRINTF(2, 3);
/* Once for each code and key path. */
void utm__find(UtmCheck *check, UtmFindingCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The same with a remedy that fits better than that of the code. (nullable) */
void utm__find_with_remedy(UtmCheck *check, UtmFindingCode code, const char *remedy, const char *format, ...)
	G_GNUC_PRINTF(4, 5);
/* Whether an error has been found at the current key. */
bool utm__has_error_here(const UtmCheck *check);
/* Whether this has been found at the current key. */
bool utm__was_found_here(const UtmCheck *check, UtmFindingCode code);

/* --- drives.c --- */

/* The image of a drive that the guest sees. False when there is none; the name lives as long as the configuration. */
bool utm__drive_get_image(const UtmCheck *check, gsize index, const char **ret_name, bool *ret_read_only);

/* --- serial.c --- */

/* How a terminal looks; the current key is the terminal's. */
void utm__check_terminal(UtmCheck *check, const UtmConfigTerminal *terminal);

/* --- the rules, each file a subject --- */

void utm__check_schema(UtmCheck *check);       /* schema.c: ranges, unknown keys, texts */
void utm__check_identity(UtmCheck *check);     /* identity.c: name, icon, drive identifiers, hardware addresses */
void utm__check_machine(UtmCheck *check);      /* machine.c */
void utm__check_devices(UtmCheck *check);      /* devices.c */
void utm__check_drives(UtmCheck *check);       /* drives.c: both back ends */
void utm__check_network(UtmCheck *check);      /* network.c */
void utm__check_serial(UtmCheck *check);       /* serial.c */
void utm__check_arguments(UtmCheck *check);    /* arguments.c: those that the user typed */
void utm__check_command_line(UtmCheck *check); /* command-line.c: what the builder says */
void utm__check_hardware(UtmCheck *check);     /* hardware.c: names that a list of QEMU's judges */
void utm__check_apple(UtmCheck *check);        /* apple.c */
