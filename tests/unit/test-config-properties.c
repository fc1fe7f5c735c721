/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What holds for every key and every value of the configuration, of both back ends. The keys come from
 * utm/config-schema.h, so that a new one is tried without a change here; random values come from a seed.
 */
#include "config/config-private.h"
#include "random-struct.h"

#include <plist/plist.h>
#include <string.h>
#include <utm/config-schema.h>

#define ROUNDS 400
#define SAMPLE_UUID "00112233-4455-6677-8899-AABBCCDDEEFF"
#define SAMPLE_DATA "{\"$data\":\"AAECAwQ=\"}"

static const UtmBackend backends[] = { UTM_BACKEND_QEMU, UTM_BACKEND_APPLE };

/* --- every key --- */

typedef void (*KeyFunc)(UtmBackend backend, const char *path, const UtmConfigKey *key);

static char *join(const char *above, const char *name)
{
	return *above ? g_strdup_printf("%s.%s", above, name) : g_strdup(name);
}

/* Of arrays the first element stands for all. */
static void walk(UtmBackend backend, const char *above, uint32_t type, KeyFunc fn)
{
	UtmConfigType section = UTM_CONFIG_TYPE_INIT;
	g_assert_cmpint(utm_config_schema_get_type(type, &section, NULL), ==, 0);
	for (size_t i = 0; i < section.count; i++) {
		UtmConfigKey key = UTM_CONFIG_KEY_INIT;
		g_assert_cmpint(utm_config_schema_get_key(type, i, &key, NULL), ==, 0);
		g_autofree char *path = join(above, key.name);
		g_autofree char *below = g_strconcat(path, key.is_array ? "[0]" : "", NULL);
		fn(backend, path, &key);
		if (key.kind == UTM_CONFIG_KIND_SECTION && !key.is_obsolete)
			walk(backend, below, key.type, fn);
	}
}

static void for_every_key(KeyFunc fn)
{
	for (gsize i = 0; i < G_N_ELEMENTS(backends); i++)
		walk(backends[i], "", utm_config_schema_get_root(backends[i]), fn);
}

/* --- configurations in which a key is there and counts --- */

static UtmConfig *new_config(UtmBackend backend)
{
	void *root = backend == UTM_BACKEND_QEMU ? (void *)utm__config_qemu_new() : utm__config_apple_new();
	return utm__config_new_taking(root, UTM_CONFIG_FORMAT_CURRENT, 4, NULL);
}

/* By address: it is set by what makes the result. */
static void must(int result, UtmError **error, const char *path)
{
	if (result < 0)
		g_error("%s: %s: %s", path, utm_error_get_key_path(*error), utm_error_get_message(*error));
}

static void set_text(UtmConfig *config, const char *path, const char *text)
{
	g_autoptr(UtmError) error = NULL;
	must(utm_config_set_text(config, path, text, &error), &error, path);
}

static bool has(const UtmConfig *config, const char *path)
{
	bool present = false;
	g_autoptr(UtmError) error = NULL;
	must(utm_config_has(config, path, &present, &error), &error, path);
	return present;
}

static bool is_used(const UtmConfig *config, const char *path)
{
	bool used = false;
	g_autoptr(UtmError) error = NULL;
	must(utm_config_is_used(config, path, &used, &error), &error, path);
	return used;
}

static char *json_of(const UtmConfig *config, const char *path)
{
	char *json = NULL;
	g_autoptr(UtmError) error = NULL;
	must(utm_config_to_json(config, path, &json, &error), &error, path);
	return json;
}

static UtmConfigKey find_key(UtmBackend backend, const char *path)
{
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	g_autoptr(UtmError) error = NULL;
	must(utm_config_schema_find_key(backend, path, &key, &error), &error, path);
	return key;
}

static const char *last_word(const UtmConfigKey *key)
{
	UtmConfigType type = UTM_CONFIG_TYPE_INIT;
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;
	g_assert_cmpint(utm_config_schema_get_type(key->type, &type, NULL), ==, 0);
	g_assert_cmpint(utm_config_schema_get_value(key->type, type.count - 1, &value, NULL), ==, 0);
	return value.text;
}

/* A new section: bytes that only Apple's framework can make up are all that it does not have by itself. */
static char *section_json(uint32_t type)
{
	GString *json = g_string_new("{");
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	for (size_t i = 0; utm_config_schema_get_key(type, i, &key, NULL) == 0; i++)
		if (key.kind == UTM_CONFIG_KIND_DATA && !key.is_optional)
			g_string_append_printf(json, "%s\"%s\":%s", json->len > 1 ? "," : "", key.name, SAMPLE_DATA);
	g_string_append_c(json, '}');
	return g_string_free(json, FALSE);
}

/* Some value that the key takes, as text. */
static char *sample_of(const UtmConfigKey *key)
{
	static const char *const samples[] = {
		[UTM_CONFIG_KIND_BOOL] = "true",
		[UTM_CONFIG_KIND_STRING] = "x y",
		[UTM_CONFIG_KIND_UUID] = SAMPLE_UUID,
		[UTM_CONFIG_KIND_DATA] = SAMPLE_DATA,
	};
	if (key->kind == UTM_CONFIG_KIND_SECTION && !key->is_array)
		return section_json(key->type);
	if (key->kind == UTM_CONFIG_KIND_INT)
		return g_strdup_printf("%" G_GINT64_FORMAT, key->has_max ? key->max : 1);
	const char *text = key->kind == UTM_CONFIG_KIND_ENUM      ? last_word(key)
	                   : key->kind == UTM_CONFIG_KIND_SECTION ? "{}"
	                                                          : samples[key->kind];
	if (!key->is_array)
		return g_strdup(text);
	bool quote = key->kind == UTM_CONFIG_KIND_STRING || key->kind == UTM_CONFIG_KIND_ENUM;
	return g_strdup_printf(quote ? "[\"%s\"]" : "[%s]", text);
}

static void set_sample(UtmConfig *config, const char *path)
{
	UtmConfigKey key = find_key(utm_config_get_backend(config), path);
	g_autofree char *text = sample_of(&key);
	set_text(config, path, text);
}

/* A condition of the schema, by its text alone. */
typedef struct Condition {
	UtmValue *value;
	char *path; /* of the other key */
	bool absent, present;
	const UtmValue *items;
} Condition;

static void condition_clear(Condition *condition)
{
	utm_value_free(condition->value);
	g_free(condition->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Condition, condition_clear)

static Condition parse_condition(const char *above, const char *json)
{
	Condition condition = { 0 };
	g_assert_cmpint(utm_value_from_json(json, &condition.value, NULL), ==, 0);
	const char *absent = utm_value_get_string(utm_value_get_member(condition.value, "absent"));
	const char *present = utm_value_get_string(utm_value_get_member(condition.value, "present"));
	const char *name = utm_value_get_string(utm_value_get_member(condition.value, "key"));
	condition.absent = absent != NULL;
	condition.present = present != NULL;
	condition.items = utm_value_get_member(condition.value, "in");
	condition.path = join(above, absent ? absent : present ? present : name);
	if (absent || present ? condition.items != NULL : utm_value_get_count(condition.items) == 0)
		g_error("%s: a kind of condition that this test does not know: %s", above, json);
	return condition;
}

/* Sets the other key so that the condition holds. */
static void make_true(UtmConfig *config, const char *above, const char *json)
{
	g_auto(Condition) condition = parse_condition(above, json);
	const UtmValue *item = utm_value_get_item(condition.items, 0);
	if (condition.absent)
		g_assert_cmpint(utm_config_remove(config, condition.path, NULL), ==, 0);
	else if (condition.present)
		set_sample(config, condition.path);
	else if (utm_value_get_string(item))
		set_text(config, condition.path, utm_value_get_string(item));
	else
		set_text(config, condition.path, utm_value_get_bool(item) ? "true" : "false");
}

static bool is_true(const UtmConfig *config, const char *above, const char *json)
{
	g_auto(Condition) condition = parse_condition(above, json);
	bool there = has(config, condition.path), found = false;
	g_autofree char *value = there ? json_of(config, condition.path) : NULL;
	if (!condition.items)
		return there == condition.present;
	for (size_t i = 0; value && i < utm_value_get_count(condition.items); i++) {
		g_autofree char *item = utm_value_dup_json(utm_value_get_item(condition.items, i));
		found |= strcmp(item, value) == 0;
	}
	return found;
}

/* "Drive[0]" of "Drive[0].Interface", "" of "Drive". */
static char *section_of(const char *path)
{
	const char *dot = strrchr(path, '.');
	return g_strndup(path, dot ? (gsize)(dot - path) : 0);
}

/* The key at `path` within the section `above`: there, and such that files get it. */
static void add_key(UtmConfig *config, const char *above, const char *path, bool is_last)
{
	UtmConfigKey key = find_key(utm_config_get_backend(config), path);
	bool is_section = key.kind == UTM_CONFIG_KIND_SECTION;
	if (key.used_if)
		make_true(config, above, key.used_if);
	if (is_section ? key.is_array || !has(config, path) : is_last && !key.is_fixed)
		set_sample(config, path);
}

static UtmConfig *config_with(UtmBackend backend, const char *path)
{
	UtmConfig *config = new_config(backend);
	g_auto(GStrv) steps = g_strsplit(path, ".", -1);
	g_autofree char *above = g_strdup("");
	for (int i = 0; steps[i]; i++) {
		g_autofree char *name = g_strndup(steps[i], strcspn(steps[i], "["));
		g_autofree char *here = join(above, name);
		add_key(config, above, here, !steps[i + 1]);
		g_autofree char *inside = join(above, steps[i]);
		g_free(above);
		above = g_steal_pointer(&inside);
	}
	return config;
}

/* --- the codecs --- */

static char *to_xml(const UtmConfig *config, size_t *ret_size)
{
	char *xml = NULL;
	g_autoptr(UtmError) error = NULL;
	must(utm_config_to_plist(config, &xml, ret_size, &error), &error, "writing");
	return xml;
}

static plist_t to_tree(const UtmConfig *config)
{
	size_t size;
	plist_t tree = NULL;
	g_autofree char *xml = to_xml(config, &size);
	plist_from_xml(xml, (uint32_t)size, &tree);
	g_assert_nonnull(tree);
	return tree;
}

static int load_tree(plist_t tree, bool binary, UtmConfig **ret_config, UtmError **error)
{
	char *data = NULL;
	uint32_t size = 0;
	if (binary)
		plist_to_bin(tree, &data, &size);
	else
		plist_to_xml(tree, &data, &size);
	int result = utm_config_new_from_data(data, size, ret_config, error);
	free(data);
	return result;
}

static UtmConfig *through_xml(const UtmConfig *config)
{
	size_t size;
	UtmConfig *again = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autofree char *xml = to_xml(config, &size);
	int result = utm_config_new_from_data(xml, size, &again, &error);
	if (result < 0)
		g_test_message("%s", xml);
	must(result, &error, "XML");
	return again;
}

static UtmConfig *through_binary(const UtmConfig *config)
{
	UtmConfig *again = NULL;
	g_autoptr(UtmError) error = NULL;
	plist_t tree = to_tree(config);
	must(load_tree(tree, true, &again, &error), &error, "binary");
	plist_free(tree);
	return again;
}

static UtmConfig *through_json(const UtmConfig *config)
{
	UtmConfig *again = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autofree char *json = json_of(config, NULL);
	must(utm_config_load_json(json, NULL, &again, &error), &error, "JSON");
	return again;
}

/* --- random values --- */

static bool holds(const UtmSchemaMember *member, UtmSchemaFactKind what, const void *object)
{
	const UtmSchemaFact *fact = utm__schema_find_fact(&utm__config_schema, member, what);
	return !fact || utm__schema_holds(&utm__config_schema, fact, object);
}

static void force_value(const UtmSchemaMember *member, void *object)
{
	const UtmSchemaFact *fact = utm__schema_find_fact(&utm__config_schema, member, UTM_SCHEMA_FACT_WRITE_AS);
	int64_t value = utm__config_schema.numbers[fact->value];
	void *field = utm__schema_at(object, member->offset);
	if (member->kind == UTM_SCHEMA_BOOL)
		*(bool *)field = value;
	else
		*(int32_t *)field = (int32_t)value;
}

static void leave_unwritten(void *object);

static void leave_unwritten_below(const UtmSchemaMember *member, void *object)
{
	if (member->kind != UTM_SCHEMA_STRUCT || !utm__schema_is_present(member, object))
		return;
	if (!(member->flags & UTM_SCHEMA_ARRAY))
		leave_unwritten(*(void **)utm__schema_at(object, member->offset));
	else
		for (gsize i = 0; i < utm__schema_get_count(member, object); i++)
			leave_unwritten(*(void **)utm__schema_get_element(member, object, i));
}

/* What a file does not get, reading does not find. Conditions are about what there was before. */
static void leave_unwritten(void *object)
{
	const UtmSchema *schema = &utm__config_schema;
	const UtmSchemaType *row = &schema->types[utm__schema_type_of(object)];
	bool is_written[UTM_SCHEMA_MEMBERS_MAX], is_free[UTM_SCHEMA_MEMBERS_MAX];
	for (guint i = 0; i < row->count; i++) {
		is_written[i] = holds(utm__schema_member(schema, row, i), UTM_SCHEMA_FACT_WRITE_IF, object);
		is_free[i] = holds(utm__schema_member(schema, row, i), UTM_SCHEMA_FACT_WRITE_AS, object);
	}
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(schema, row, i);
		if (!is_written[i])
			utm__schema_set_default(schema, member, object);
		if (!is_free[i])
			force_value(member, object);
		leave_unwritten_below(member, object);
	}
}

static UtmConfig *random_config(UtmBackend backend, bool as_written)
{
	bool is_qemu = backend == UTM_BACKEND_QEMU;
	void *root = random_file_new(&utm__config_schema, is_qemu ? UTM_CONFIG_SCHEMA_QEMU : UTM_CONFIG_SCHEMA_APPLE);
	if (is_qemu)
		((UtmConfigQemu *)root)->backend = UTM_CONFIG_BACKEND_QEMU;
	else
		((UtmConfigApple *)root)->backend = UTM_CONFIG_BACKEND_APPLE;
	*(is_qemu ? &((UtmConfigQemu *)root)->configuration_version : &((UtmConfigApple *)root)->configuration_version) = 4;
	if (as_written)
		leave_unwritten(root);
	return utm__config_new_taking(root, UTM_CONFIG_FORMAT_CURRENT, 4, NULL);
}

static void assert_same(const UtmConfig *config, UtmConfig *again_taken, const char *way)
{
	if (!utm_config_equal(config, again_taken)) {
		g_autofree char *before = json_of(config, NULL);
		g_autofree char *after = json_of(again_taken, NULL);
		g_error("other values through %s:\n%s\n%s", way, before, after);
	}
	utm_config_unref(again_taken);
}

static void check_random(UtmBackend backend)
{
	g_autoptr(UtmConfig) config = random_config(backend, true);
	assert_same(config, through_xml(config), "XML");
	assert_same(config, through_binary(config), "a binary property list");
	assert_same(config, through_json(config), "JSON");
	assert_same(config, utm_config_copy(config), "a copy");
}

static void test_random_values(void)
{
	for (int i = 0; i < ROUNDS; i++)
		check_random(backends[i % 2]);
}

/* Values that a file does not get: JSON has them, and a file once written is written the same again. */
static void test_random_values_that_no_file_gets(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t size, again_size;
		g_autoptr(UtmConfig) config = random_config(backends[i % 2], false);
		g_autoptr(UtmConfig) written = through_xml(config);
		g_autofree char *first = to_xml(config, &size);
		g_autofree char *second = to_xml(written, &again_size);
		assert_same(config, through_json(config), "JSON");
		g_assert_cmpmem(first, size, second, again_size);
	}
}

/* What edits may leave half way: a key that another one would need in a file. */
static void take_away(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	if (!key->required_if)
		return;
	g_autoptr(UtmConfig) config = config_with(backend, path);
	g_autoptr(UtmError) error = NULL;
	must(utm_config_remove(config, path, &error), &error, path);
	assert_same(config, through_json(config), "JSON");
	/* A file gets what reads again. */
	utm_config_unref(through_xml(config));
}

static void test_unfinished(void)
{
	for_every_key(take_away);
}

/* --- unknown keys --- */

static void add_unknown(plist_t node, int *count)
{
	plist_t values[] = { plist_new_string("<kept> & \xc3\xa9"),
		                 plist_new_uint(7),
		                 plist_new_bool(1),
		                 plist_new_data("\0\1", 2),
		                 plist_new_array(),
		                 plist_new_dict() };
	static const char *const names[] = { " first", "Kept", "kept", "\xc3\xa9", "zz", "~" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		plist_dict_set_item(node, names[i], values[i]);
	++*count;
}

/* Into every dictionary that the schema knows, which is every one before there are unknown keys. */
static void add_unknown_below(plist_t node, int *count)
{
	for (uint32_t i = 0; plist_get_node_type(node) == PLIST_ARRAY && i < plist_array_get_size(node); i++)
		add_unknown_below(plist_array_get_item(node, i), count);
	if (plist_get_node_type(node) != PLIST_DICT)
		return;
	plist_dict_iter iterator = NULL;
	plist_dict_new_iter(node, &iterator);
	for (plist_t child = NULL;;) {
		char *name = NULL;
		plist_dict_next_item(node, iterator, &name, &child);
		free(name);
		if (!child)
			break;
		add_unknown_below(child, count);
	}
	free(iterator);
	add_unknown(node, count);
}

static int count_text(const char *text, const char *part)
{
	int count = 0;
	for (const char *p = strstr(text, part); p; p = strstr(p + 1, part))
		count++;
	return count;
}

static void assert_unknown_kept(const UtmConfig *config, int count, const char *path)
{
	static const char *const parts[] = { "<key> first</key>",
		                                 "<key>Kept</key>",
		                                 "<key>kept</key>",
		                                 "<key>\xc3\xa9</key>",
		                                 "<key>zz</key>",
		                                 "<key>~</key>",
		                                 "<string>&lt;kept&gt; &amp; \xc3\xa9</string>" };
	size_t size;
	g_autofree char *xml = to_xml(config, &size);
	for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
		if (count_text(xml, parts[i]) != count)
			g_error("%s: %d of %s, not %d: %s", path, count_text(xml, parts[i]), parts[i], count, xml);
}

static void keep_unknown(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	if (key->kind != UTM_CONFIG_KIND_SECTION || key->is_obsolete)
		return;
	int count = 0;
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmConfig) start = config_with(backend, path);
	g_autoptr(UtmConfig) config = NULL;
	plist_t tree = to_tree(start);
	add_unknown_below(tree, &count);
	must(load_tree(tree, false, &config, &error), &error, path);
	set_text(config, "Information.Name", "Edited");
	g_assert_cmpint(utm_config_insert(config, "Drive", 0, "{}", NULL), ==, 0);
	g_assert_cmpint(utm_config_remove(config, "Drive[0]", NULL), ==, 0);
	g_autoptr(UtmConfig) by_xml = through_xml(config);
	g_autoptr(UtmConfig) by_json = through_json(config);
	g_autoptr(UtmConfig) by_binary = through_binary(config);
	const UtmConfig *all[] = { config, by_xml, by_json, by_binary };
	for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
		assert_unknown_kept(all[i], count, path);
	plist_free(tree);
}

static void test_unknown_keys_are_kept(void)
{
	for_every_key(keep_unknown);
}

/* --- keys that are absent --- */

/* Removes the key from the tree; false when it was not there. */
static bool remove_from_tree(plist_t tree, const char *path)
{
	g_auto(GStrv) steps = g_strsplit(path, ".", -1);
	guint last = g_strv_length(steps) - 1;
	for (guint i = 0; i < last; i++) {
		bool is_element = g_str_has_suffix(steps[i], "[0]");
		steps[i][strcspn(steps[i], "[")] = '\0';
		tree = plist_dict_get_item(tree, steps[i]);
		tree = is_element ? plist_array_get_item(tree, 0) : tree;
	}
	bool was_there = tree && plist_dict_get_item(tree, steps[last]);
	if (was_there)
		plist_dict_remove_item(tree, steps[last]);
	return was_there;
}

static bool remove_from_value(UtmValue *value, const char *path)
{
	g_auto(GStrv) steps = g_strsplit(path, ".", -1);
	guint last = g_strv_length(steps) - 1;
	for (guint i = 0; i < last; i++) {
		bool is_element = g_str_has_suffix(steps[i], "[0]");
		steps[i][strcspn(steps[i], "[")] = '\0';
		value = (UtmValue *)utm__value_find(value, steps[i]);
		value = is_element ? (UtmValue *)utm__value_get(value, 0) : value;
	}
	bool was_there = utm__value_find(value, steps[last]);
	if (was_there)
		utm__value_remove(value, steps[last]);
	return was_there;
}

/* `start` has the key, `config` was read without it. */
static void check_absent(const UtmConfig *start, const UtmConfig *config, int result, const UtmError *error,
                         const char *path, const UtmConfigKey *key, bool is_json)
{
	g_autofree char *above = section_of(path);
	bool is_needed = !is_json && key->required_if && is_true(start, above, key->required_if);
	bool is_required = !key->is_optional || is_needed;
	if (key->is_fixed) { /* the two that tell how to read the rest */
		g_assert_cmpint(result, <, 0);
		g_assert_cmpstr(utm_error_get_key_path(error), ==, "ConfigurationVersion");
	} else if (is_required) {
		g_assert_cmpint(result, ==, UTM_ERROR_CONFIG_MALFORMED);
		g_assert_cmpstr(utm_error_get_key_path(error), ==, path);
		g_assert_nonnull(strstr(utm_error_get_message(error), "missing"));
	} else {
		must(result, (UtmError **)&error, path);
		g_autofree char *json = has(config, path) ? json_of(config, path) : NULL;
		const char *truth = key->default_if && is_true(config, above, key->default_if) ? "true" : "false";
		g_assert_cmpstr(json, ==, key->default_if ? truth : key->default_json);
	}
}

static void leave_out(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	if (key->is_obsolete)
		return;
	g_autoptr(UtmConfig) start = config_with(backend, path);
	g_autoptr(UtmConfig) from_tree = NULL;
	g_autoptr(UtmConfig) from_json = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmError) json_error = NULL;
	plist_t tree = to_tree(start);
	UtmValue *value = NULL;
	g_autofree char *json = json_of(start, NULL);
	g_assert_cmpint(utm_value_from_json(json, &value, NULL), ==, 0);
	if (!remove_from_tree(tree, path) || !remove_from_value(value, path))
		g_error("%s: was not written", path);
	g_autofree char *shorter = utm_value_dup_json(value);
	int result = load_tree(tree, false, &from_tree, &error);
	check_absent(start, from_tree, result, error, path, key, false);
	result = utm_config_load_json(shorter, NULL, &from_json, &json_error);
	check_absent(start, from_json, result, json_error, path, key, true);
	plist_free(tree);
	utm_value_free(value);
}

static void test_absent_keys(void)
{
	for_every_key(leave_out);
}

/* --- edits --- */

static void assert_refused(int result, UtmError **error, int code, const char *path)
{
	if (result != code)
		g_error("%s: %d, not %d: %s", path, result, code, result < 0 ? utm_error_get_message(*error) : "accepted");
	g_assert_cmpstr(utm_error_get_key_path(*error), ==, path);
	g_clear_pointer(error, utm_error_unref);
}

static void assert_json(const UtmConfig *config, const char *path, const char *expected)
{
	g_autofree char *json = json_of(config, path);
	if (strcmp(json, expected) != 0)
		g_error("%s is %s, not %s", path, json, expected);
}

/* The value survives both codecs; in a file only if it counts. */
static void assert_kept(const UtmConfig *config, const char *path, const char *expected)
{
	g_autoptr(UtmConfig) by_json = through_json(config);
	g_autoptr(UtmConfig) by_xml = through_xml(config);
	assert_json(config, path, expected);
	assert_json(by_json, path, expected);
	g_assert_true(is_used(config, path) || find_key(utm_config_get_backend(config), path).architectures);
	assert_json(by_xml, path, expected);
}

static void try_words(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	if (key->kind != UTM_CONFIG_KIND_ENUM || key->is_fixed)
		return;
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmConfig) config = config_with(backend, path);
	UtmConfigType type = UTM_CONFIG_TYPE_INIT;
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;
	g_assert_cmpint(utm_config_schema_get_type(key->type, &type, NULL), ==, 0);
	g_assert_true(type.is_enum);
	for (size_t i = 0; i < type.count; i++) {
		g_assert_cmpint(utm_config_schema_get_value(key->type, i, &value, NULL), ==, 0);
		g_autofree char *json = g_strdup_printf("\"%s\"", value.text);
		g_autofree char *text = NULL;
		g_assert_cmpint(utm_config_set_string(config, path, value.text, NULL), ==, 0);
		g_assert_cmpint(utm_config_get_string(config, path, &text, NULL), ==, 0);
		g_assert_cmpstr(text, ==, value.text);
		assert_kept(config, path, json);
		g_autofree char *wrong = g_strconcat(value.text, "x", NULL);
		assert_refused(utm_config_set_text(config, path, wrong, &error), &error, UTM_ERROR_CONFIG_INVALID_VALUE, path);
		assert_json(config, path, json);
	}
}

static void test_words(void)
{
	for_every_key(try_words);
}

static void try_integer(UtmConfig *config, const char *path, int64_t value)
{
	g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
	int64_t read = 0;
	g_assert_cmpint(utm_config_set_int(config, path, value, NULL), ==, 0);
	g_assert_cmpint(utm_config_get_int(config, path, &read, NULL), ==, 0);
	g_assert_cmpint(read, ==, value);
	set_text(config, path, text);
	assert_kept(config, path, text);
}

static void refuse_integer(UtmConfig *config, const char *path, int64_t value)
{
	g_autoptr(UtmError) error = NULL;
	g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
	g_autofree char *before = json_of(config, path);
	assert_refused(utm_config_set_int(config, path, value, &error), &error, UTM_ERROR_CONFIG_INVALID_VALUE, path);
	assert_refused(utm_config_set_text(config, path, text, &error), &error, UTM_ERROR_CONFIG_INVALID_VALUE, path);
	assert_json(config, path, before);
}

static void try_range(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	if (key->kind != UTM_CONFIG_KIND_INT || key->is_array || key->is_fixed)
		return;
	g_autoptr(UtmConfig) config = config_with(backend, path);
	int64_t min = key->has_min ? key->min : INT64_MIN, max = key->has_max ? key->max : INT64_MAX;
	g_assert_cmpint(min, <=, max);
	try_integer(config, path, min);
	try_integer(config, path, max);
	if (min > INT64_MIN)
		refuse_integer(config, path, min - 1);
	if (max < INT64_MAX)
		refuse_integer(config, path, max + 1);
	if (key->has_min || key->has_max) {
		refuse_integer(config, path, key->has_max ? INT64_MAX : INT64_MIN);
		refuse_integer(config, path, key->has_min ? INT64_MIN : INT64_MAX);
	}
}

static void test_ranges(void)
{
	for_every_key(try_range);
}

/* Texts that no value of the kind is. */
static const char *wrong_text(const UtmConfigKey *key)
{
	static const char *const texts[] = {
		[UTM_CONFIG_KIND_BOOL] = "yes",    [UTM_CONFIG_KIND_INT] = "1.5",      [UTM_CONFIG_KIND_NUMBER] = "x",
		[UTM_CONFIG_KIND_STRING] = "\xff", [UTM_CONFIG_KIND_UUID] = "0011-22", [UTM_CONFIG_KIND_DATA] = "\"AAEC\"",
		[UTM_CONFIG_KIND_ENUM] = "",       [UTM_CONFIG_KIND_SECTION] = "[]",
	};
	return key->is_array ? "{}" : texts[key->kind];
}

/* Every key refuses what is of another kind, and what is fixed refuses everything; nothing changes by it. */
static void try_edits(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	if (key->is_obsolete)
		return;
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmConfig) config = config_with(backend, path);
	g_autoptr(UtmConfig) before = utm_config_copy(config);
	g_autofree char *sample = sample_of(key);
	g_assert_cmpint(utm_config_set_text(config, path, wrong_text(key), &error), <, 0);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, path);
	g_clear_pointer(&error, utm_error_unref);
	if (key->is_fixed)
		assert_refused(utm_config_set_text(config, path, sample, &error), &error, UTM_ERROR_CONFIG_INVALID_VALUE, path);
	if (key->is_fixed || !key->is_optional)
		assert_refused(utm_config_remove(config, path, &error), &error, UTM_ERROR_CONFIG_INVALID_VALUE, path);
	g_assert_true(utm_config_equal(config, before));
	if (key->is_fixed)
		return;
	set_text(config, path, sample);
	g_autofree char *json = json_of(config, path);
	assert_kept(config, path, json);
	if (!key->is_optional)
		return;
	g_assert_cmpint(utm_config_remove(config, path, NULL), ==, 0);
	g_autofree char *left = has(config, path) ? json_of(config, path) : NULL;
	if (!key->default_if)
		g_assert_cmpstr(left, ==, key->default_json);
}

static void test_edits(void)
{
	for_every_key(try_edits);
}

/* --- what has an effect --- */

/* With every word of the other key: it is used when the condition says so, and only then an optional key gets into files. */
static void check_words_of_other(UtmConfig *config, const char *path, const UtmConfigKey *key, const char *other)
{
	g_autofree char *above = section_of(path);
	UtmConfigKey other_key = find_key(utm_config_get_backend(config), other);
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;
	g_assert_cmpint(other_key.kind, ==, UTM_CONFIG_KIND_ENUM);
	for (size_t i = 0; utm_config_schema_get_value(other_key.type, i, &value, NULL) == 0; i++) {
		set_text(config, other, value.text);
		bool used = is_used(config, path);
		g_assert_true(used == is_true(config, above, key->used_if));
		g_autoptr(UtmConfig) by_xml = through_xml(config);
		g_assert_true(has(by_xml, path) == (used || !key->is_optional));
	}
}

static void check_used(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	if (key->is_obsolete)
		return;
	g_autoptr(UtmConfig) config = config_with(backend, path);
	g_autofree char *above = section_of(path);
	g_assert_true(is_used(config, path) || key->architectures);
	if (!key->used_if)
		return;
	g_assert_true(is_true(config, above, key->used_if));
	g_auto(Condition) condition = parse_condition(above, key->used_if);
	if (condition.items) {
		check_words_of_other(config, path, key, condition.path);
		return;
	}
	if (condition.present)
		g_assert_cmpint(utm_config_remove(config, condition.path, NULL), ==, 0);
	else
		set_sample(config, condition.path);
	g_assert_false(is_used(config, path));
}

static void test_used(void)
{
	for_every_key(check_used);
}

static void check_architectures(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	if (!key->architectures)
		return;
	g_autoptr(UtmConfig) config = config_with(backend, path);
	g_auto(GStrv) names = g_strsplit(key->architectures, " ", -1);
	UtmConfigKey architecture = find_key(backend, "System.Architecture");
	UtmConfigType type = UTM_CONFIG_TYPE_INIT;
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;
	guint used = 0;
	g_assert_cmpint(utm_config_schema_get_type(architecture.type, &type, NULL), ==, 0);
	for (size_t i = 0; utm_config_schema_get_value(architecture.type, i, &value, NULL) == 0; i++) {
		set_text(config, "System.Architecture", value.text);
		bool wanted = g_strv_contains((const char *const *)names, value.text);
		g_assert_true(is_used(config, path) == wanted);
		used += wanted;
	}
	g_assert_cmpuint(used, ==, g_strv_length(names));
	g_assert_cmpuint(used, <, type.count);
}

static void test_architectures(void)
{
	for_every_key(check_architectures);
}

/* --- new objects, and what the schema says of them --- */

static void check_new_key(const UtmConfig *config, const UtmConfig *other, const char *path, const UtmConfigKey *key)
{
	g_autofree char *json = has(config, path) ? json_of(config, path) : NULL;
	if (key->is_generated) {
		g_autofree char *another = json_of(other, path);
		g_assert_cmpuint(strlen(json), >, 10);
		g_assert_cmpstr(json, !=, another);
	} else if (key->kind == UTM_CONFIG_KIND_SECTION && !key->is_array) {
		g_assert_true((json != NULL) == (key->new_json != NULL));
	} else if (!key->default_if && g_strcmp0(json, key->new_json) != 0) {
		g_error("%s: a new one is %s, not %s", path, json, key->new_json);
	}
}

static void check_new(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	g_autofree char *first = g_strconcat(path, key->is_array ? "[0]" : "", NULL);
	UtmConfigKey inner = UTM_CONFIG_KEY_INIT;
	if (key->kind != UTM_CONFIG_KIND_SECTION || key->is_obsolete)
		return;
	g_autoptr(UtmConfig) config = config_with(backend, path);
	g_autoptr(UtmConfig) other = config_with(backend, path);
	for (size_t i = 0; utm_config_schema_get_key(key->type, i, &inner, NULL) == 0; i++) {
		g_autofree char *below = join(first, inner.name);
		if (inner.kind != UTM_CONFIG_KIND_DATA)
			check_new_key(config, other, below, &inner);
	}
}

static void test_new_objects(void)
{
	for_every_key(check_new);
}

/* --- the schema itself --- */

static void assert_sentence(const char *doc, const char *path)
{
	g_autofree char *problem = g_strdup_printf("%s: \"%s\" is no sentence", path, doc);
	if (!doc || strlen(doc) < 3 || !g_str_has_suffix(doc, ".") || g_ascii_isspace(*doc))
		g_error("%s", problem);
}

static void check_type_of(const char *path, const UtmConfigKey *key)
{
	UtmConfigType type = UTM_CONFIG_TYPE_INIT;
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;
	bool has_type = key->kind == UTM_CONFIG_KIND_ENUM || key->kind == UTM_CONFIG_KIND_SECTION;
	g_assert_true(has_type == (key->type != 0));
	if (!has_type)
		return;
	g_assert_cmpint(utm_config_schema_get_type(key->type, &type, NULL), ==, 0);
	g_assert_true(type.is_enum == (key->kind == UTM_CONFIG_KIND_ENUM));
	g_assert_cmpuint(type.count, >, 0);
	assert_sentence(type.doc, path);
	for (size_t i = 0; type.is_enum && i < type.count; i++) {
		g_assert_cmpint(utm_config_schema_get_value(key->type, i, &value, NULL), ==, 0);
		assert_sentence(value.doc, path);
	}
}

/* Texts that are JSON are JSON; the path, with any index, leads to the same key. */
static void check_key(UtmBackend backend, const char *path, const UtmConfigKey *key)
{
	const char *const texts[] = { key->default_json, key->default_if, key->new_json, key->used_if, key->required_if };
	g_auto(GStrv) parts = g_strsplit(path, "[0]", -1);
	static const char *const indexes[] = { "[0]", "[]", "[999]" };
	assert_sentence(key->doc, path);
	check_type_of(path, key);
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		UtmValue *value = NULL;
		if (texts[i])
			g_assert_cmpint(utm_value_from_json(texts[i], &value, NULL), ==, 0);
		utm_value_free(value);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(indexes); i++) {
		g_autofree char *spelling = g_strjoinv(indexes[i], parts);
		UtmConfigKey found = find_key(backend, spelling);
		g_assert_true(found.name == key->name && found.doc == key->doc && found.type == key->type);
		g_assert_true(found.is_array == key->is_array && found.new_json == key->new_json);
	}
	if (key->unit)
		g_assert_cmpint(key->kind, ==, UTM_CONFIG_KIND_INT);
}

static void test_schema(void)
{
	for_every_key(check_key);
}

/* The same values each time, unless another seed is asked for. */
static char **with_seed(int *argc, char **argv)
{
	static char seed[] = "--seed=R02S434f4e46494755524154494f4e2e2e2e";
	GPtrArray *arguments = g_ptr_array_new();
	g_ptr_array_add(arguments, argv[0]);
	g_ptr_array_add(arguments, seed);
	for (int i = 1; i < *argc; i++)
		g_ptr_array_add(arguments, argv[i]);
	*argc = (int)arguments->len;
	g_ptr_array_add(arguments, NULL);
	return (char **)g_ptr_array_free(arguments, FALSE);
}

int main(int argc, char **argv)
{
	g_autofree char **arguments = with_seed(&argc, argv);
	argv = arguments;
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config-properties/random-values", test_random_values);
	g_test_add_func("/config-properties/random-values-that-no-file-gets", test_random_values_that_no_file_gets);
	g_test_add_func("/config-properties/unfinished", test_unfinished);
	g_test_add_func("/config-properties/unknown-keys-are-kept", test_unknown_keys_are_kept);
	g_test_add_func("/config-properties/absent-keys", test_absent_keys);
	g_test_add_func("/config-properties/words", test_words);
	g_test_add_func("/config-properties/ranges", test_ranges);
	g_test_add_func("/config-properties/edits", test_edits);
	g_test_add_func("/config-properties/used", test_used);
	g_test_add_func("/config-properties/architectures", test_architectures);
	g_test_add_func("/config-properties/new-objects", test_new_objects);
	g_test_add_func("/config-properties/schema", test_schema);
	return g_test_run();
}
