/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a QMP message ends: by the structure of its JSON, byte by byte, so that it may come in any pieces, over several
 * lines or several on one. On the way the white space between tokens is left out, in place: what comes out is compact.
 *
 * It sees brackets and strings and nothing else; whether the message is valid JSON is the reader's business.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define UTM_QMP_DEPTH_MAX 1024

typedef struct UtmQmpFramer {
	guint depth;
	guint depth_max; /* 0: UTM_QMP_DEPTH_MAX */
	bool quoted;  /* inside a string */
	bool escaped; /* behind a backslash */
	bool scalar;  /* the last byte belongs to a number or a word */
	bool spaced;  /* ... and white space followed it: two of them must not grow together */
} UtmQmpFramer;

typedef enum UtmQmpFrame {
	UTM_QMP_FRAME_PART,  /* all input is used up, the message goes on */
	UTM_QMP_FRAME_WHOLE, /* the message is complete; the framer begins anew */
	UTM_QMP_FRAME_BAD,   /* no message of QMP looks like this */
} UtmQmpFrame;

/* Takes bytes from *from up to end, stores the compact ones at *to and moves both. *to may trail in the same buffer. */
UtmQmpFrame utm__qmp_framer_run(UtmQmpFramer *framer, const char **from, const char *end, char **to);
