/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the command line share: configurations with edits, and argument lists to look into. */
#pragma once

#include <glib.h>
#include <utm/utm.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmConfig, utm_config_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmHost, utm_host_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmArgv, utm_argv_unref)
/* The library's own headers have this one. */
#ifndef GOLDEN_WITH_INTERNALS
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmError, utm_error_unref)
#endif

/* Ends the test with the error's text unless `code` is 0. */
void check(int code, UtmError *error);

/* A file of tests/golden. */
char *golden_path(const char *name);

/*
 * The configuration of a file of tests/golden, with edits, one in a line:
 *   Key.Path=text     a value, as utm_config_set_text() takes it
 *   +Array={...}      an element more
 *   ~old~new          text of the property list, for values that no edit would let through
 */
UtmConfig *golden_config(const char *name, const char *edits);
UtmHost *golden_host(uint32_t os, const char *json);

/* "option value" of two arguments that follow each other, or one argument. */
bool argv_has(const UtmArgv *argv, const char *line);
/* Whether any argument contains the text. */
bool argv_mentions(const UtmArgv *argv, const char *text);
/* One argument in a line, for messages and for files. */
char *argv_text(const UtmArgv *argv);
