/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/object.h"

void utm__object_init(UtmObject *object, const UtmObjectClass *klass, UtmContext *context)
{
	object->klass = klass;
	object->context = utm_context_ref(context);
	object->public_refs = 1;
	object->internal_refs = 1;
}

void utm__object_ref(UtmObject *object)
{
	g_atomic_int_inc(&object->public_refs);
}

bool utm__object_try_ref(UtmObject *object)
{
	int refs = g_atomic_int_get(&object->public_refs);
	while (refs > 0) {
		if (g_atomic_int_compare_and_exchange(&object->public_refs, refs, refs + 1))
			return true;
		refs = g_atomic_int_get(&object->public_refs);
	}
	return false;
}

bool utm__object_is_closed(UtmObject *object)
{
	return g_atomic_int_get(&object->public_refs) == 0;
}

void utm__object_unref(UtmObject *object)
{
	if (!object || !g_atomic_int_dec_and_test(&object->public_refs))
		return;
	UtmContext *context = object->context;
	if (object->klass->close)
		object->klass->close(object);
	utm__object_release(object);
	utm_context_unref(context);
}

void utm__object_hold(UtmObject *object)
{
	g_atomic_int_inc(&object->internal_refs);
}

void utm__object_release(UtmObject *object)
{
	if (object && g_atomic_int_dec_and_test(&object->internal_refs))
		object->klass->free(object);
}
