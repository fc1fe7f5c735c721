/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Older files to values of version 4. What they held is described in qapi/legacy.schema; the two migrations are tables
 * from old key paths to new ones, and the rules that are no copying.
 */
#pragma once

#include "config/config-private.h"
#include "legacy-types.h" /* generated from qapi/legacy.schema */

#include <utm/configuration.h>

/* The host's, as far as machines of UTM could be virtualised on it. */
#if defined(__x86_64__)
#define HOST_ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define HOST_ARCHITECTURE "aarch64"
#else
#define HOST_ARCHITECTURE "" /* none that UTM runs on */
#endif

typedef struct UtmMigration {
	const char *name;              /* of the machine */
	const char *host_architecture; /* as UTM calls it */
	bool exact;                    /* as UTM does it, faults included */
	GPtrArray *notes;              /* of UtmConfigNote */
} UtmMigration;

GPtrArray *utm__migration_notes_new(void);
void utm__migration_note(UtmMigration *migration, UtmConfigNoteKind kind, const char *key_path, const char *format, ...)
	G_GNUC_PRINTF(4, 5);
/* A note for each key below `object` that nobody knows, or whose value was of no use. `prefix` is where it stands. */
void utm__migration_note_unknown(UtmMigration *migration, const void *object, const char *prefix);

/* From where a value comes, relative to an old object, and where it goes, relative to a new one. */
typedef struct UtmMigrationCopy {
	const char *from, *to;
} UtmMigrationCopy;

/*
 * Copies values of the same kind, words to enumerations that have them in lower case. An absent boolean becomes false and
 * an absent optional string stays absent; all else that is absent keeps what the new object has.
 */
void utm__migration_copy(const UtmMigrationCopy *copies, gsize count, const void *from, void *to);
/* The value whose text in lower case, less a prefix, is `word`; -1 when there is none. */
int32_t utm__migration_find_word(guint enum_type, const char *prefix, const char *word);
/* Removes what new objects have in the array with this key. */
void utm__migration_clear(void *object, const char *key);
/* Adds a new object to the end of the array with this key. */
void *utm__migration_append(void *object, const char *key);

/* Whole migrations. The first one changes what it migrates. */
UtmConfigQemu *utm__migrate_legacy_qemu(UtmMigration *migration, UtmLegacyQemu *old);
int utm__migrate_legacy_apple(UtmMigration *migration, const UtmLegacyApple *old, UtmConfigApple **ret_apple,
                              UtmError **error);
