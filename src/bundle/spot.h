/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names inside a package, followed step by step with descriptors. Packages come from strangers, with names and links of
 * their choice: each directory on the way is opened from the one before it without following links, and links are
 * followed by hand, so that somebody who exchanges a directory for a link meanwhile gains nothing.
 */
#pragma once

#include "base/error-private.h"

#include <stdbool.h>
#include <sys/stat.h>

/* A place in a package: a directory, and a name in it that is no link. */
typedef struct UtmSpot {
	int dir;
	char *name;       /* plain; "." for the package itself */
	char *path;       /* absolute, for QEMU and for people */
	bool exists;
	struct stat info; /* when it does */
} UtmSpot;

#define UTM_SPOT_INIT { .dir = -1 }

void utm__spot_clear(UtmSpot *spot);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UtmSpot, utm__spot_clear)

/* The package's own directory, not through a link. The descriptor or a negative code. */
int utm__open_root(const char *root_path, UtmError **error);

/*
 * Where `name` in the directory `below` of the package is; `below` NULL: the package itself. Symbolic links may lead about
 * inside the package, but not out of it; that holds for a link to nothing too, since somebody may create what it names.
 * The spot need not exist, but its directory. Absolute links lead inside when they begin with `root_path`.
 * BUNDLE_PATH_ESCAPE; IMAGE_MISSING without the directory; IO.
 */
int utm__spot_find(int root, const char *root_path, const char *below, const char *name, UtmSpot *ret, UtmError **error);
/* The same in `Data`, or in `Images` when it is not there: packages of older versions have their files there. */
int utm__spot_find_data(int root, const char *root_path, const char *name, UtmSpot *ret, UtmError **error);
/* The directory `Data` itself, or else `Images`, open for listing; -1 when there is neither. `ret_path` may be NULL. */
int utm__open_data(int root, const char *root_path, int *ret_fd, char **ret_path, UtmError **error);

/* "is not in the bundle". Returns IMAGE_MISSING. */
int utm__fail_missing(const char *path, const char *name, UtmError **error);

/* A whole regular file, at most `max` bytes and one more, to tell. Nothing in a package makes this wait. */
int utm__spot_read(const UtmSpot *spot, gsize max, GByteArray *bytes, struct stat *ret_info, UtmError **error);
/* Opens a directory for listing it; `name` must be no link. The descriptor, or -1 with errno. */
int utm__open_directory(int parent, const char *name);
