/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What is kept of a program's standard error, bytes. */
#define UTM_STDERR_TAIL_MAX 4096

/* How much of a piece of UTF-8 can be taken so that no character is cut at its end. All of it where it is no UTF-8. */
gsize utm__text_whole_prefix(const char *text, gsize length);
/* Adds a line of valid UTF-8. When there are too many the oldest go, whole lines as far as possible. */
void utm__tail_add_line(GString *tail, const char *line);

/* Of a tail, which may be NULL, and then the answer is too. */
const char *utm__last_line(const char *tail);
/*
 * What a program failed of: the first line that it began with its name, as it does for messages, and that is no mere
 * warning; hints and the complaints of libraries come after it. Without one, the last line. (transfer full)
 */
char *utm__find_complaint(const char *tail, const char *program);
