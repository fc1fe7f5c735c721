/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A package in a directory of its own, with something beside it that does not belong to it. */
#pragma once

#include "tree.h"

#include <utm/argv.h>

typedef struct TestPackage {
	UtmContext *context;
	char *outside; /* the directory: the package, and "secret", which says "not yours" */
	char *root;
	char *data;
	UtmHost *host; /* that a test works for; nullable */
} TestPackage;

/* Without a configuration, and with an empty Data. */
void test_package_init(TestPackage *package, const char *name);
/* For g_test_add(). */
void test_package_tear_down(TestPackage *package, gconstpointer unused);
