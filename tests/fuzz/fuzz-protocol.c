/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a monitor or a guest agent says, read into a struct of any type. The first two bytes choose the type among those
 * of all protocols; the rest is JSON. What was read can be written, unless it says that it cannot be, and what was
 * written is read to the same. Copies are equal. The same text as a free-form value keeps the same rule.
 *
 * Names of members are too long to be found by chance, so now and then a mutation is a fresh random value.
 */
#include "random-struct.h"

#include <stdlib.h>
#include <string.h>
#include <utm/value.h>

#define FRESH_ONE_IN 50

int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const UtmSchema *const schemas[] = { &utm__qmp_schema, &utm__qga_schema };

/* Types of all protocols in a row; those without a struct are skipped. */
static const UtmSchema *choose(guint number, guint *ret_type)
{
	guint all = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(schemas); i++)
		all += schemas[i]->type_count;
	number %= all;
	const UtmSchema *schema = number < schemas[0]->type_count ? schemas[0] : schemas[1];
	*ret_type = schema == schemas[0] ? number : number - schemas[0]->type_count;
	return is_struct_type(schema, *ret_type) ? schema : NULL;
}

static void *read_again(const UtmSchema *schema, guint type, const GString *text)
{
	void *value = NULL;
	if (utm__protocol_decode(schema, type, text->str, text->len, &value, NULL) < 0)
		abort();
	return value;
}

static void check_struct(const UtmSchema *schema, guint type, const char *text, gsize size)
{
	void *value = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm__protocol_decode(schema, type, text, size, &value, &error) < 0) {
		if (!error || value || utm_error_get_code(error) != UTM_ERROR_QMP_MALFORMED)
			abort();
		return;
	}
	g_autoptr(GString) first = g_string_new(NULL);
	g_autoptr(GString) second = g_string_new(NULL);
	if (utm__protocol_encode(schema, value, first, NULL, NULL) < 0)
		abort();
	void *again = read_again(schema, type, first);
	if (!utm__schema_equal(schema, value, again) || utm__protocol_encode(schema, again, second, NULL, NULL) < 0 ||
	    !g_string_equal(first, second))
		abort();
	void *copy = utm__schema_copy(schema, value);
	utm__schema_free(schema, value);
	if (!utm__schema_equal(schema, copy, again))
		abort();
	utm__schema_free(schema, copy);
	utm__schema_free(schema, again);
}

static void check_value(const char *text)
{
	UtmValue *value = NULL, *again = NULL;
	if (utm_value_from_json(text, &value, NULL) < 0)
		return;
	g_autofree char *first = utm_value_dup_json(value);
	if (utm_value_from_json(first, &again, NULL) < 0 || !utm_value_equal(value, again))
		abort();
	UtmValue *copy = utm_value_copy(value);
	if (!utm_value_equal(copy, again))
		abort();
	utm_value_free(value);
	utm_value_free(again);
	utm_value_free(copy);
}

/* random-struct.c takes its numbers from there. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char name[] = "fuzz-protocol", *own_argv[] = { name, NULL }, **own = own_argv;
	int count = 1;
	g_test_init(&count, &own, NULL);
	return 0;
}

/* 0: there is no value of this type, or no room for it. */
static size_t fresh(uint8_t *data, size_t size_max, unsigned seed)
{
	guint type;
	const UtmSchema *schema = choose(seed & 0xffff, &type);
	if (!schema)
		return 0;
	void *value = random_struct_new(schema, type, NULL);
	g_autoptr(GString) text = g_string_new(NULL);
	if (utm__protocol_encode(schema, value, text, NULL, NULL) < 0)
		abort();
	utm__schema_free(schema, value);
	if (text->len + 2 > size_max)
		return 0;
	data[0] = (uint8_t)(seed >> 8);
	data[1] = (uint8_t)seed;
	memcpy(data + 2, text->str, text->len);
	return text->len + 2;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	size_t made = (seed >> 16) % FRESH_ONE_IN == 0 ? fresh(data, size_max, seed) : 0;
	return made ? made : LLVMFuzzerMutate(data, size, size_max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	guint type;
	if (size < 2)
		return 0;
	const UtmSchema *schema = choose((guint)data[0] << 8 | data[1], &type);
	if (!schema)
		return 0;
	g_autofree char *text = g_strndup((const char *)data + 2, size - 2);
	check_struct(schema, type, (const char *)data + 2, size - 2);
	check_value(text);
	return 0;
}
