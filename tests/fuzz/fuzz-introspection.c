/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer target: what a QEMU may say that it has. The first line is a question, the second one the arguments of the
 * command in it, the rest the answer to query-qmp-schema.
 */
#include "qmp/introspection.h"

#include "schema/json-reader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The command or event. Dots may stand in a vendor's domain, which ends at an underscore. */
static char *dup_call(const char *question)
{
	const char *name = g_str_has_prefix(question, "__") ? strchr(question + 2, '_') : NULL;
	gsize domain = name ? (gsize)(name - question) : 0;
	return g_strndup(question, domain + strcspn(question + domain, ".:=#"));
}

/* Only correct JSON is ever held against the index. */
static void check_arguments(const UtmIntrospection *index, const char *question, const char *arguments)
{
	g_autofree char *command = dup_call(question);
	g_autoptr(UtmError) error = NULL;
	if (utm__json_check(arguments, strlen(arguments), NULL, UTM_ERROR_INVALID_ARGUMENT, NULL) < 0)
		return;
	int result = utm__introspection_check(index, command, arguments, 10000002, &error);
	if (result != (error ? UTM_ERROR_QMP_UNSUPPORTED : 0))
		abort();
	if (error && !g_utf8_validate(utm_error_get_message(error), -1, NULL))
		abort();
}

/* A longer question has no more than a shorter one that it begins with. */
static void check_question(const UtmIntrospection *index, const char *question)
{
	g_autofree char *call = dup_call(question);
	if (utm__introspection_check_question(question, NULL) < 0)
		return;
	if (utm__introspection_has(index, question) && !utm__introspection_has(index, call))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_auto(GStrv) parts = g_strsplit(text, "\n", 3);
	UtmIntrospection *index = NULL;
	if (g_strv_length(parts) < 3)
		return 0;
	g_autoptr(UtmError) error = NULL;
	if (utm__introspection_new(parts[2], strlen(parts[2]), &index, &error) < 0) {
		if (index || !error)
			abort();
		return 0;
	}
	check_question(index, parts[0]);
	check_arguments(index, parts[0], parts[1]);
	utm__introspection_unref(index);
	return 0;
}
