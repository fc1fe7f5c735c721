/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories and files for tests. */
#pragma once

#include <glib.h>

/* A new temporary directory, by its real path. (transfer full) */
char *test_place_new(void);
/* rm -r, for whatever a test made */
void test_remove_tree(const char *path);

void put_file(const char *directory, const char *name, const char *content);
void put_link(const char *directory, const char *name, const char *target);
