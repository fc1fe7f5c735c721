/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The generated registry of error codes, sorted by number (from -1 downwards). */
#pragma once

typedef struct UtmErrorEntry {
	int code;
	int domain;
	const char *name;
	const char *meaning;
	const char *remedy;
} UtmErrorEntry;

extern const UtmErrorEntry utm__error_table[];
extern const unsigned utm__error_table_count;
