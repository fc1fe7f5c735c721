/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one build of QEMU has: a compact index made of its answer to query-qmp-schema, and the questions that are put to
 * it. It never changes once made, and is counted, so that any thread may ask and several connections share one.
 *
 * The answer is 0.2 MB of JSON; the index takes half of that, in numbers that name each other. It comes from the peer:
 * counts are bounded, a type that refers to itself ends every walk, and a type that is missing allows everything.
 */
#pragma once

#include "base/error-private.h"

#include <stdbool.h>

typedef struct UtmIntrospection UtmIntrospection;

/* QMP_MALFORMED for what is no such answer; LIMIT for one with too much in it. */
int utm__introspection_new(const char *reply, gsize size, UtmIntrospection **ret, UtmError **error);
UtmIntrospection *utm__introspection_ref(UtmIntrospection *index); /* accepts NULL */
void utm__introspection_unref(UtmIntrospection *index);            /* accepts NULL */
/* Bytes that it takes. */
gsize utm__introspection_get_size(const UtmIntrospection *index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmIntrospection, utm__introspection_unref)

/* Whether `what` is a question as utm_qmp_has() takes them; INVALID_ARGUMENT with the place. */
int utm__introspection_check_question(const char *what, UtmError **error);
/* The answer to a question that was checked. */
bool utm__introspection_has(const UtmIntrospection *index, const char *what);

/*
 * Whether QEMU knows all that is in the arguments of a command, which are correct JSON: members, values of enumerations,
 * kinds of values. QMP_UNSUPPORTED with the key path of the first that it does not know. A command that the index lacks
 * is left to QEMU. `version` is for the message, as utm_qmp_get_qemu_version() has it.
 */
int utm__introspection_check(const UtmIntrospection *index, const char *command, const char *arguments, guint32 version,
                             UtmError **error);
