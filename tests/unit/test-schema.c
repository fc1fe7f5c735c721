/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine over random values of every type: what goes out through a codec comes back the same. */
#include "config-types.h"
#include "schema/json-codec.h"
#include "schema/plist-codec.h"

#include <plist/plist.h>
#include <math.h>
#include <string.h>
#include <utm/value.h>

#define SCHEMA (&utm__config_schema)
#define ROUNDS 300

/* --- random values --- */

static char *random_text(void)
{
	static const char *const parts[] = {
		"a",  "Z",          "9",   " ",     "<",  ">", "&", "\"", "'",  "\n",   "\t",           "é",
		"字", "\U0001F5A5", "]]>", "&amp;", "\\", "/", "{", "#",  "\r", "\x01", "\xef\xbf\xbf", "$null "
	};
	GString *text = g_string_new(NULL);
	for (int i = g_test_rand_int_range(0, 12); i > 0; i--)
		g_string_append(text, parts[g_test_rand_int_range(0, G_N_ELEMENTS(parts))]);
	return g_string_free(text, FALSE);
}

static gint64 random_int(void)
{
	gint64 value = (gint64)((guint64)(guint32)g_test_rand_int() << 32 | (guint32)g_test_rand_int());
	return value >> g_test_rand_int_range(0, 63);
}

static UtmValue *random_value(int depth)
{
	UtmValue *value = utm__value_new_object();
	switch (g_test_rand_int_range(0, depth > 0 ? 8 : 6)) {
	case 0:
		value->kind = UTM_TOKEN_BOOL;
		value->as.boolean = g_test_rand_bit();
		break;
	case 1:
		value->kind = UTM_TOKEN_INT;
		value->as.integer = random_int();
		break;
	case 2:
		value->kind = UTM_TOKEN_REAL;
		value->as.number = g_test_rand_double_range(-1e6, 1e6);
		break;
	case 3:
		value->kind = UTM_TOKEN_DATE;
		value->as.integer = g_test_rand_int();
		break;
	case 4:
	case 5:
		value->kind = g_test_rand_bit() ? UTM_TOKEN_STRING : UTM_TOKEN_DATA;
		value->as.text.bytes = random_text();
		value->as.text.length = strlen(value->as.text.bytes);
		break;
	default:
		for (int i = g_test_rand_int_range(0, 4); i > 0; i--) {
			g_autofree char *key = random_text();
			utm__value_append(value, key, strlen(key), random_value(depth - 1));
		}
		utm__value_sort(value);
	}
	return value;
}

static void random_object_fill(void *object);

static void random_field(const UtmSchemaMember *member, void *field)
{
	switch (member->kind) {
	case UTM_SCHEMA_BOOL:
		*(bool *)field = g_test_rand_bit();
		break;
	case UTM_SCHEMA_INT:
		*(int64_t *)field = random_int();
		break;
	case UTM_SCHEMA_ENUM:
		*(int32_t *)field = g_test_rand_int_range(0, SCHEMA->types[member->type].count);
		break;
	case UTM_SCHEMA_STRUCT:
		utm__schema_free(SCHEMA, *(void **)field);
		*(void **)field = utm__schema_new(SCHEMA, member->type);
		random_object_fill(*(void **)field);
		break;
	case UTM_SCHEMA_ANY: { /* bytes */
		UtmValue *data = utm__value_new_object();
		data->kind = UTM_TOKEN_DATA;
		data->as.text.bytes = random_text();
		data->as.text.length = strlen(data->as.text.bytes);
		utm__value_free(*(UtmValue **)field);
		*(UtmValue **)field = data;
		break;
	}
	default:
		if (member->flags & UTM_SCHEMA_UUID)
			break; /* the fresh one of a new object is random enough */
		g_free(*(char **)field);
		*(char **)field = random_text();
	}
}

static void random_member(const UtmSchemaMember *member, void *object)
{
	if (member->flags & UTM_SCHEMA_ARRAY) {
		for (int i = g_test_rand_int_range(0, 4); i > 0; i--)
			random_field(member, utm__schema_insert_element(member, object, 0));
		return;
	}
	if ((member->flags & UTM_SCHEMA_OPTIONAL) && g_test_rand_bit()) {
		utm__schema_set_default(SCHEMA, member, object);
		return;
	}
	if ((member->flags & UTM_SCHEMA_UUID) && !utm__schema_is_present(member, object))
		return;
	random_field(member, utm__schema_at(object, member->offset));
	if (member->flag_offset)
		*(bool *)utm__schema_at(object, member->flag_offset) = true;
}

static void random_object_fill(void *object)
{
	UtmSchemaHeader *header = object;
	const UtmSchemaType *row = &SCHEMA->types[header->type];
	for (guint i = 0; i < row->count; i++)
		if (!(utm__schema_member(SCHEMA, row, i)->flags & UTM_SCHEMA_FIXED))
			random_member(utm__schema_member(SCHEMA, row, i), object);
	if (g_test_rand_bit()) {
		header->extras = utm__value_new_object();
		for (int i = g_test_rand_int_range(1, 4); i > 0; i--) {
			g_autofree char *text = random_text();
			g_autofree char *key = g_strconcat("x", text, NULL);
			utm__value_append(header->extras, key, strlen(key), random_value(3));
		}
		utm__value_sort(header->extras);
	}
}

static UtmConfigInformation *information_of(void *config)
{
	bool qemu = utm__schema_type_of(config) == UTM_CONFIG_SCHEMA_QEMU;
	return qemu ? ((UtmConfigQemu *)config)->information : ((UtmConfigApple *)config)->information;
}

/* Of one back end and the other in turn. An icon of its own must have a name; so much a reader insists on. */
static void *random_config(int round)
{
	void *config = utm__schema_new(SCHEMA, round % 2 ? UTM_CONFIG_SCHEMA_APPLE : UTM_CONFIG_SCHEMA_QEMU);
	random_object_fill(config);
	if (!information_of(config)->icon)
		information_of(config)->icon_custom = false;
	return config;
}

/* --- properties --- */

static void test_copy_equals(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *config = random_config(i);
		void *copy = utm__schema_copy(SCHEMA, config);
		g_assert_true(utm__schema_equal(SCHEMA, config, copy));
		information_of(copy)->icon_custom ^= 1;
		g_assert_false(utm__schema_equal(SCHEMA, config, copy));
		utm__schema_free(SCHEMA, copy);
		utm__schema_free(SCHEMA, config);
	}
}

static void test_json_round_trip(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *config = random_config(i);
		void *again = NULL;
		g_autofree char *text = NULL;
		g_autofree char *second = NULL;
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(utm__json_encode(SCHEMA, config, 0, i % 2, &text, NULL), ==, 0);
		if (utm__json_decode(SCHEMA, utm__schema_type_of(config), text, strlen(text), UTM_SCHEMA_KEEP_UNKNOWN, &again,
		                     &error) < 0)
			g_error("%s: %s in %s", utm_error_get_key_path(error), utm_error_get_message(error), text);
		g_assert_cmpint(utm__json_encode(SCHEMA, again, 0, i % 2, &second, NULL), ==, 0);
		g_assert_cmpstr(text, ==, second);
		g_assert_true(utm__schema_equal(SCHEMA, config, again));
		utm__schema_free(SCHEMA, again);
		utm__schema_free(SCHEMA, config);
	}
}

static void *decode_plist(guint type, const void *data, gsize size)
{
	g_autoptr(UtmPlist) plist = NULL;
	g_autoptr(UtmError) error = NULL;
	void *object = NULL;
	if (utm__plist_parse(data, size, &plist, &error) < 0 ||
	    utm__plist_decode(plist, SCHEMA, type, UTM_SCHEMA_KEEP_UNKNOWN, &object, &error) < 0)
		g_error("%s: %s in %.*s", utm_error_get_key_path(error), utm_error_get_message(error), (int)size, (char *)data);
	return object;
}

/* Object by object, with what libplist does not write: short numbers, one object in several places, keys in UTF-16. */
static void test_binary_kinds(void)
{
	static const struct {
		const char *bytes;
		gsize size;
		const char *json;
	} cases[] = {
		{ "\x08", 1, "false" },
		{ "\x09", 1, "true" },
		{ "\x10\xff", 2, "255" },
		{ "\x11\xff\xfe", 3, "65534" },
		{ "\x12\xff\xff\xff\xfe", 5, "4294967294" },
		{ "\x13\xff\xff\xff\xff\xff\xff\xff\xfe", 9, "-2" },
		{ "\x14\0\0\0\0\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 17, "9223372036854775807" },
		{ "\x22\x3f\xc0\0\0", 5, "1.5" },
		{ "\x23\xbf\xf8\0\0\0\0\0\0", 9, "-1.5" },
		{ "\x33\x40\x08\0\0\0\0\0\0", 9, "{\"$date\":3}" },
		{ "\x42\0\xff", 3, "{\"$data\":\"AP8=\"}" },
		{ "\x51x", 2, "\"x\"" },
		{ "\x62\xd8\x3d\xde\0", 5, "\"\xf0\x9f\x98\x80\"" },
		{ "\x5f\x10\x0fxxxxxxxxxxxxxxx", 18, "\"xxxxxxxxxxxxxxx\"" },
		{ "\xa2\0\0", 3, "[\"\xc3\xa9\",\"\xc3\xa9\"]" },
		{ "\xd1\0\0", 3, "{\"\xc3\xa9\":\"\xc3\xa9\"}" },
		{ "\xa0", 1, "[]" },
		{ "\xd0", 1, "{}" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		/* Object 0 is a key in UTF-16, 1 the case, 2 the root. */
		static const char head[] = "bplist00\x61\x00\xe9";
		const guint8 offsets[] = { 8, 11, (guint8)(11 + cases[i].size) };
		const guint8 trailer[32] = { [6] = 1, [7] = 1, [15] = 3, [23] = 2, [31] = (guint8)(14 + cases[i].size) };
		g_autoptr(GByteArray) list = g_byte_array_new();
		g_byte_array_append(list, (const guint8 *)head, sizeof head - 1);
		g_byte_array_append(list, (const guint8 *)cases[i].bytes, (guint)cases[i].size);
		g_byte_array_append(list, (const guint8 *)"\xd1\0\1", 3);
		g_byte_array_append(list, offsets, sizeof offsets);
		g_byte_array_append(list, trailer, sizeof trailer);
		UtmConfigVersion *object = decode_plist(UTM_CONFIG_SCHEMA_VERSION, list->data, list->len);
		g_autofree char *found = utm_value_dup_json(((UtmSchemaHeader *)object)->extras);
		g_autofree char *wanted = g_strdup_printf("{\"\xc3\xa9\":%s}", cases[i].json);
		g_assert_cmpstr(found, ==, wanted);
		utm__schema_free(SCHEMA, object);
	}
}

/* Files drop what the mode of a thing rules out, so the first reading may differ; from then on nothing may. */
static void test_plist_round_trip(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *config = random_config(i);
		g_autofree char *first = NULL;
		g_autofree char *second = NULL;
		gsize first_size, second_size;
		g_assert_cmpint(utm__plist_encode(SCHEMA, config, &first, &first_size, NULL), ==, 0);
		void *read = decode_plist(utm__schema_type_of(config), first, first_size);
		g_assert_cmpint(utm__plist_encode(SCHEMA, read, &second, &second_size, NULL), ==, 0);
		g_assert_cmpstr(first, ==, second);
		void *again = decode_plist(utm__schema_type_of(config), second, second_size);
		g_assert_true(utm__schema_equal(SCHEMA, read, again));
		g_assert_true(utm__value_equal(((UtmSchemaHeader *)config)->extras, ((UtmSchemaHeader *)read)->extras));
		g_assert_cmpstr(information_of(config)->name, ==, information_of(read)->name);
		utm__schema_free(SCHEMA, again);
		utm__schema_free(SCHEMA, read);
		utm__schema_free(SCHEMA, config);
	}
}

static void test_xml_equals_binary(void)
{
	for (int i = 0; i < ROUNDS / 3; i++) {
		void *config = random_config(i);
		g_autofree char *xml = NULL;
		gsize size;
		g_assert_cmpint(utm__plist_encode(SCHEMA, config, &xml, &size, NULL), ==, 0);
		plist_t root = NULL;
		char *binary = NULL;
		uint32_t binary_size = 0;
		plist_from_xml(xml, (uint32_t)size, &root);
		plist_to_bin(root, &binary, &binary_size);
		void *from_xml = decode_plist(utm__schema_type_of(config), xml, size);
		void *from_binary = decode_plist(utm__schema_type_of(config), binary, binary_size);
		g_assert_true(utm__schema_equal(SCHEMA, from_xml, from_binary));
		utm__schema_free(SCHEMA, from_xml);
		utm__schema_free(SCHEMA, from_binary);
		utm__schema_free(SCHEMA, config);
		free(binary);
		plist_free(root);
	}
}

/* --- objects --- */

static void test_new_object(void)
{
	UtmConfigQemu *config = utm__config_qemu_new();
	UtmConfigQemu *other = utm__config_qemu_new();
	g_assert_cmpint(config->backend, ==, UTM_CONFIG_BACKEND_QEMU);
	g_assert_cmpint(config->configuration_version, ==, 4);
	g_assert_cmpstr(config->information->name, ==, "Virtual Machine");
	g_assert_true(g_uuid_string_is_valid(config->information->uuid));
	g_assert_cmpstr(config->information->uuid, !=, other->information->uuid);
	g_assert_cmpint(config->system->architecture, ==, UTM_CONFIG_ARCHITECTURE_X86_64);
	g_assert_cmpint(config->system->memory_size, ==, 512);
	g_assert_cmpint(config->input->usb_bus_support, ==, UTM_CONFIG_USB_BUS_2_0);
	g_assert_cmpuint(config->drive_count, ==, 0);
	UtmConfigSerial *serial = utm__config_serial_new();
	g_assert_cmpstr(serial->terminal->font, ==, "Menlo");
	g_assert_true(serial->terminal->cursor_blink);
	g_assert_false(serial->terminal->has_theme);
	utm__config_serial_free(serial);
	utm__config_qemu_free(config);
	utm__config_qemu_free(other);
	utm__config_qemu_free(NULL);
	g_assert_null(utm__schema_copy(SCHEMA, NULL));
	g_assert_true(utm__schema_equal(SCHEMA, NULL, NULL));
}

/* What code, unlike a file, can put into a struct. */
static void test_encoding_refuses(void)
{
	UtmConfigQemu *config = utm__config_qemu_new();
	char *text = NULL;
	g_autoptr(UtmError) error = NULL;
	config->system->architecture = UTM_CONFIG_ARCHITECTURE_UNRECOGNIZED;
	g_assert_cmpint(utm__json_encode(SCHEMA, config, 0, false, &text, &error), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "System.Architecture");
	g_clear_pointer(&error, utm_error_unref);
	config->system->architecture = 1000;
	g_assert_cmpint(utm__json_encode(SCHEMA, config, 0, false, &text, NULL), <, 0);
	config->system->architecture = 0;
	g_free(config->information->notes);
	config->information->notes = g_strdup("\xff");
	g_assert_cmpint(utm__json_encode(SCHEMA, config, 0, false, &text, &error), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "Information.Notes");
	g_clear_pointer(&error, utm_error_unref);
	g_clear_pointer(&config->information->notes, g_free);
	g_clear_pointer(&config->system->target, g_free);
	g_assert_cmpint(utm__json_encode(SCHEMA, config, 0, false, &text, &error), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "System.Target");
	g_assert_null(text);
	utm__config_qemu_free(config);
}

static void test_unknown_keys_by_flag(void)
{
	static const char text[] =
		"{\"Hardware\": \"sb16\", \"Future\": [1, {\"a\": null}], \"Hardware2\": {\"$data\": \"AAE=\"}}";
	void *object = NULL;
	g_autofree char *again = NULL;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm__json_decode(SCHEMA, UTM_CONFIG_SCHEMA_SOUND, text, strlen(text), 0, &object, NULL), ==, 0);
	g_assert_null(((UtmConfigSound *)object)->header.extras);
	utm__schema_free(SCHEMA, object);
	g_assert_cmpint(utm__json_decode(SCHEMA, UTM_CONFIG_SCHEMA_SOUND, text, strlen(text), UTM_SCHEMA_REFUSE_UNKNOWN,
	                                 &object, &error),
	                ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "Future");
	g_assert_nonnull(strstr(utm_error_get_remedy(error), "Hardware"));
	g_assert_cmpint(
		utm__json_decode(SCHEMA, UTM_CONFIG_SCHEMA_SOUND, text, strlen(text), UTM_SCHEMA_KEEP_UNKNOWN, &object, NULL),
		==, 0);
	g_assert_cmpint(utm__json_encode(SCHEMA, object, 0, false, &again, NULL), ==, 0);
	g_assert_cmpstr(again, ==,
	                "{\"Future\":[1,{\"a\":null}],\"Hardware\":\"sb16\",\"Hardware2\":{\"$data\":\"AAE=\"}}");
	utm__schema_free(SCHEMA, object);
}

static void test_old_names(void)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{ "{'Protocol':'UDP','HostPort':7,'GuestPort':8}", 0 },
		{ "{'protocol':'UDP','hostPort':7,'guestPort':8}", 0 },
		{ "{'guestPort':8,'hostPort':7,'protocol':'UDP','HostPort':{'a':[1,{}]}}", 0 },
		{ "{'protocol':'UDP','hostPort':7,'GuestPort':8}", UTM_ERROR_CONFIG_MALFORMED },
		{ "{'protocol':'XTP','hostPort':7,'guestPort':8}", UTM_ERROR_CONFIG_INVALID_VALUE },
		{ "{'protocol':'UDP','hostPort':7,'guestPort':8", UTM_ERROR_CONFIG_MALFORMED },
		{ "{'protocol':'UDP','hostPort':'7','guestPort':8}", UTM_ERROR_CONFIG_MALFORMED },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		void *object = NULL;
		g_test_message("%s", cases[i].text);
		g_assert_cmpint(utm__json_decode(SCHEMA, UTM_CONFIG_SCHEMA_PORT_FORWARD, cases[i].text, strlen(cases[i].text),
		                                 UTM_SCHEMA_KEEP_UNKNOWN, &object, NULL),
		                ==, cases[i].code);
		UtmConfigPortForward *forward = object;
		g_assert_true(!forward || (forward->protocol == UTM_CONFIG_PROTOCOL_UDP && forward->host_port == 7 &&
		                           forward->guest_port == 8 && !forward->header.extras));
		utm__config_port_forward_free(forward);
	}
}

static void test_json_text(void)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{ "{\"Hardware\": \"a\"}", 0 },
		{ " {'Hardware': 'a'} ", 0 },
		{ "{\"Hardware\": \"a\"} x", UTM_ERROR_CONFIG_MALFORMED },
		{ "{\"Hardware\": \"a\", \"Hardware\": \"b\"}", UTM_ERROR_CONFIG_MALFORMED },
		{ "{\"Hardware\": \"a\\u0000\"}", UTM_ERROR_CONFIG_MALFORMED },
		{ "{\"Hardware\": null}", UTM_ERROR_CONFIG_MALFORMED },
		{ "{\"Hardware\": 1}", UTM_ERROR_CONFIG_MALFORMED },
		{ "{\"Hardware\": \"a\", \"x\": 99999999999999999999}", UTM_ERROR_CONFIG_MALFORMED },
		{ "[]", UTM_ERROR_CONFIG_MALFORMED },
		{ "null", UTM_ERROR_CONFIG_MALFORMED },
		{ "", UTM_ERROR_CONFIG_MALFORMED },
		{ "{", UTM_ERROR_CONFIG_MALFORMED },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		void *object = NULL;
		g_test_message("%s", cases[i].text);
		g_assert_cmpint(utm__json_decode(SCHEMA, UTM_CONFIG_SCHEMA_SOUND, cases[i].text, strlen(cases[i].text),
		                                 UTM_SCHEMA_KEEP_UNKNOWN, &object, NULL),
		                ==, cases[i].code);
		utm__schema_free(SCHEMA, object);
	}
}

static void test_key_order(void)
{
	/* By UTF-16 code units: beyond the basic plane before the end of it. */
	static const char *const sorted[] = { "",  "A", "AB",           "B",          "CPU",    "CPUCount",
		                                  "a", "é", "\xe5\xad\x97", "\U0001F5A5", "\uE000", "\uFFFD" };
	for (gsize i = 0; i < G_N_ELEMENTS(sorted); i++) {
		for (gsize j = 0; j < G_N_ELEMENTS(sorted); j++) {
			int order = utm__key_compare(sorted[i], sorted[j]);
			g_assert_cmpint((order > 0) - (order < 0), ==, (i > j) - (i < j));
		}
	}
}

static void test_tables(void)
{
	for (guint i = 0; i < SCHEMA->type_count; i++) {
		const UtmSchemaType *row = &SCHEMA->types[i];
		for (guint j = 0; row->kind == UTM_SCHEMA_STRUCT && j < row->count; j++) {
			const UtmSchemaMember *member = utm__schema_member(SCHEMA, row, j);
			const char *name = utm__schema_string(SCHEMA, member->name);
			g_assert_true(utm__schema_find_member(SCHEMA, row, name, strlen(name)) == member);
			g_assert_true(utm__schema_find_member(SCHEMA, row, name, strlen(name) - 1) != member);
			g_assert_cmpstr(utm__schema_string(SCHEMA, member->doc), !=, "");
			g_assert_cmpuint(member->offset + utm__schema_element_size(member), <=, row->size);
		}
		for (gint32 j = 0; row->kind == UTM_SCHEMA_ENUM && j < row->count; j++) {
			const char *text = utm__schema_enum_get_text(SCHEMA, i, j);
			g_assert_cmpint(utm__schema_enum_from_text(SCHEMA, i, text, strlen(text)), ==, j);
		}
	}
	g_assert_null(utm__config_protocol_get_text(-1));
	g_assert_null(utm__config_protocol_get_text(2));
	g_assert_cmpstr(utm__config_protocol_get_text(UTM_CONFIG_PROTOCOL_UDP), ==, "UDP");
}

static void test_numbers_as_text(void)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {
		{ 0.1, "0.1" },
		{ 4, "4.0" },
		{ -2.5, "-2.5" },
		{ 1e300, "1e+300" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 0, "0.0" },
		{ G_MAXDOUBLE, "1.7976931348623157e+308" },
		{ HUGE_VAL, "+infinity" },
		{ -HUGE_VAL, "-infinity" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = utm__number_dup_text(cases[i].number);
		g_assert_cmpstr(text, ==, cases[i].text);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/schema/copy-equals", test_copy_equals);
	g_test_add_func("/schema/json-round-trip", test_json_round_trip);
	g_test_add_func("/schema/plist-round-trip", test_plist_round_trip);
	g_test_add_func("/schema/binary-kinds", test_binary_kinds);
	g_test_add_func("/schema/xml-equals-binary", test_xml_equals_binary);
	g_test_add_func("/schema/new-object", test_new_object);
	g_test_add_func("/schema/encoding-refuses", test_encoding_refuses);
	g_test_add_func("/schema/unknown-keys-by-flag", test_unknown_keys_by_flag);
	g_test_add_func("/schema/old-names", test_old_names);
	g_test_add_func("/schema/json-text", test_json_text);
	g_test_add_func("/schema/key-order", test_key_order);
	g_test_add_func("/schema/tables", test_tables);
	g_test_add_func("/schema/numbers-as-text", test_numbers_as_text);
	return g_test_run();
}
