/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of src/bundle share. */
#pragma once

#include "bundle/bundle-private.h"
#include "bundle/spot.h"
#include "config/config-private.h"
#include "core/object.h"

#include <pthread.h>

/* Beyond these a package is damaged or hostile. */
#define UTM_BUNDLE_DATA_ENTRIES_MAX 65536
#define UTM_BUNDLE_ENTRIES_MAX 1000000
#define UTM_BUNDLE_DEPTH_MAX 64
#define UTM_BUNDLE_SUFFIX ".utm"
#define UTM_BUNDLE_PICTURE_MAX (64 * 1024 * 1024)

struct UtmBundle {
	UtmObject object;
	pthread_mutex_t save_lock; /* held while the configuration is read again or written; taken before `lock` */
	struct stat stamp;         /* of the configuration's file as it was read or written last; under save_lock */
	pthread_mutex_t lock;      /* guards what follows */
	/* The last one is current. Those before it stay as long as the bundle, because callers hold borrowed pointers. */
	GPtrArray *configs;
	GPtrArray *paths; /* real, absolute */
	int lock_fd;      /* -1 */
	guint holders;    /* of the lock */
	bool lent;        /* a machine's QEMU has a copy of the descriptor, and so of the lock */
	guint public_locks;
	guint runs;
	guint alone; /* those at work on an image: nothing may run meanwhile */
	guint imports; /* under way: what looks left behind may be theirs */
	bool unsure; /* the file system does not know locks */
};

/* Opened and read; the path is taken as it is. (transfer full) */
int utm__bundle_open_real(UtmContext *context, const char *root_path, UtmBundle **ret_bundle, UtmError **error);

/* --- lock.c --- */

/* One more holder of the lock: BUNDLE_LOCKED when somebody else has it. Released with utm__bundle_let_go(). */
int utm__bundle_hold(UtmBundle *bundle, UtmError **error);
void utm__bundle_let_go(UtmBundle *bundle);
/* As utm__bundle_hold(), for what must not happen while a machine runs; `what` names it. */
int utm__bundle_hold_idle(UtmBundle *bundle, const char *what, UtmError **error);
/* The same for long work on an image: no machine starts until it lets go, which any thread may do. */
int utm__bundle_hold_alone(UtmBundle *bundle, const char *what, UtmError **error);
void utm__bundle_let_go_alone(UtmBundle *bundle);
static inline void utm__bundle_held_cleanup(UtmBundle **bundle)
{
	if (*bundle)
		utm__bundle_let_go(*bundle);
}
/* Lets go at the end of the scope; NULL: nothing. */
#define utm_autoheld __attribute__((cleanup(utm__bundle_held_cleanup), unused)) UtmBundle *
/* Locks a directory. 0, BUNDLE_LOCKED, or IO with the errno when the file system cannot; the path is for the message. */
int utm__lock_directory(int fd, const char *path, UtmError **error);
/* Gives the lock back, whoever else has a copy of the descriptor, and closes it. */
void utm__unlock_directory(int *fd);
/* Removes what killed processes left behind under temporary names. Only for who has the lock. */
void utm__sweep(int directory);

/* --- bundle.c --- */

int utm__read_config(int root, const char *root_path, UtmConfig **ret_config, struct stat *ret_stamp, UtmError **error);
/* Keeps others of this process from saving; BUNDLE_CHANGED when the configuration on disk is not the bundle's. */
int utm__bundle_lock_unchanged(UtmBundle *bundle, int root, UtmError **error);
void utm__bundle_unlock_unchanged(UtmBundle *bundle);
/* Everything that saving means, without lock and stamp: for packages that nobody else knows yet, too. */
int utm__write_config(int root, const char *root_path, const UtmConfig *config, struct stat *ret_stamp, UtmError **error);
/* A configuration that has been written becomes the bundle's; it is copied. */
void utm__bundle_set_config(UtmBundle *bundle, const UtmConfig *config);
void utm__bundle_set_path(UtmBundle *bundle, char *path_taken);

/* --- create.c --- */

/* The options with all their fields, if nothing is wrong with them. */
int utm__check_create(UtmBundleCreateOptions *checked, const UtmBundleCreateOptions *options, UtmError **error);
int utm__check_clone(UtmBundleCloneOptions *checked, const UtmBundleCloneOptions *options, UtmError **error);
/* The work itself; it gives the path of the new package. (transfer full) */
int utm__bundle_make(const char *path, const UtmConfig *config, const UtmBundleCreateOptions *options, char **ret_path,
                     UtmError **error);
int utm__bundle_copy(UtmBundle *bundle, const char *path, const UtmBundleCloneOptions *options, char **ret_path,
                     UtmError **error);

/* --- names.c: what a configuration refers to --- */

int utm__check_names(int root, const char *root_path, const UtmConfig *config, UtmError **error);
/* The set of file names that a configuration refers to, and of the images below those. */
GHashTable *utm__referenced_names(int root, const char *root_path, const UtmConfig *config, bool *ret_unsure);
/* The set of words in a configuration, known or not, that might be file names. */
GHashTable *utm__mentioned_names(const UtmConfig *config);
bool utm__is_fixed_name(const char *name);

/* --- layout.c: files of older versions --- */

/* Where there are still `Images`: whether saving moves them. */
bool utm__layout_is_old(int root, const UtmConfig *config);
/* Moves them. Each step leaves a package that reads. BUNDLE_MIGRATION; IO. */
int utm__layout_migrate(int root, const char *root_path, const UtmConfig *config, UtmError **error);

/* --- copy.c --- */

typedef struct UtmCopy {
	UtmCancel *cancel;     /* nullable */
	UtmProgress *progress; /* nullable */
	guint64 done;
} UtmCopy;

/* The content of a regular file into an empty one, with its holes, sharing blocks where the file system can. */
int utm__copy_content(UtmCopy *copy, int from, const char *from_path, int to, const char *to_path, UtmError **error);
/* What is in a directory, into an empty one. Devices and the like stay behind, links are copied as links. */
int utm__copy_tree(UtmCopy *copy, int from, const char *from_path, int to, const char *to_path, UtmError **error);
/* rm -r, without following links, of what this library made itself. */
void utm__remove_tree(int parent, const char *name);

/* --- import.c --- */

/* Copies a file into a directory. Not `exact`: under a free name made of `name`. */
int utm__import(UtmCopy *copy, int data, const char *data_path, const char *source, const char *name, bool exact,
                GHashTable *names_in_use, char **ret_name, UtmError **error);
/* A new file with this content, under a free name made of `name`. */
int utm__import_bytes(int data, const char *data_path, const char *name, const void *bytes, gsize size,
                      GHashTable *names_in_use, char **ret_name, UtmError **error);
int utm__check_import(const UtmBundleImportOptions *options, const char *source, UtmError **error);
/* The options with all their fields, if nothing is wrong with them. */
int utm__check_import_options(UtmBundleImportOptions *checked, const UtmBundleImportOptions *options, const char *source,
                              UtmError **error);
/* The work itself. */
int utm__bundle_import(UtmBundle *bundle, const char *source, const UtmBundleImportOptions *options, char **ret_name,
                       UtmError **error);
/* A file is on its way into `Data` (+1), or has arrived (-1). */
void utm__bundle_count_import(UtmBundle *bundle, int change);
/* The directory `Data`, made when it is not there. */
int utm__make_data(int root, const char *root_path, int *ret_fd, char **ret_path, UtmError **error);
