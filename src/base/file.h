/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that are written beside their place and renamed into it, by descriptors of directories: a name that was looked at
 * cannot lead somewhere else when it is used. Functions without an UtmError return 0 or an errno.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <utm/error.h>

/* Room for a name such as ".utm-k3v9x0q2m7ab.tmp". */
#define UTM_TEMPORARY_NAME_SIZE 32

/* What a killed process leaves behind is recognised by its name, and may be removed by whoever finds it. */
void utm__make_temporary_name(char name[UTM_TEMPORARY_NAME_SIZE]);
bool utm__is_temporary_name(const char *name);
/* A new file under such a name, open for writing. The descriptor, or -1 with errno set. The umask is taken off. */
int utm__create_temporary(int directory, mode_t mode, char ret_name[UTM_TEMPORARY_NAME_SIZE]);

int utm__write_all(int fd, const void *data, size_t size);
/* Closes it, and tells what the file system kept back until then. */
int utm__close_written(int *fd);
/* Gives a new file the owner of a former one as far as this user may, then its mode: less where the group is another. */
int utm__take_over_mode(int fd, const struct stat *former);
/* Renames without replacing: EEXIST when the name is taken. Directories too. */
int utm__rename_new(int from_directory, const char *from, int to_directory, const char *to);
/* Makes what was created, renamed or removed in it durable; a file system that cannot do it is not an error. */
void utm__sync_directory(int directory);

/*
 * Writes a whole file beside its place, flushes it and renames it over. It keeps mode and owner of the one that was
 * there; a new one gets `new_mode` less the umask. `path` is what errors call it.
 */
int utm__write_file_at(int directory, const char *name, const char *path, const void *data, size_t size,
                       mode_t new_mode, UtmError **error);
int utm__write_file_atomic(const char *path, const void *data, size_t size, mode_t new_mode, UtmError **error);
