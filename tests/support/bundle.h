/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bundles for tests: a complete small configuration, written to a new directory, with edits by key path. */
#pragma once

#include "tree.h"

typedef struct TestEdit {
	const char *key_path;
	const char *text; /* as utm_config_set_text(); an array's key path with JSON replaces it */
} TestEdit;

/* Name.utm in a new temporary directory: x86_64 q35, 64 MiB, one VGA display, no drives, one serial port in terminal mode. */
char *test_bundle_new(const char *name, const TestEdit *edits);
/* A file of the bundle's Data directory: a link-free copy of `source`, or `size` zero bytes when it is NULL. */
void test_bundle_add_file(const char *bundle, const char *name, const char *source, gsize size);
/* Removes the bundle and the temporary directory it is in. */
void test_bundle_remove(char *bundle_taken);
/* The bundle's configuration as a property list, with the edits. */
char *test_config_plist(const TestEdit *edits);
