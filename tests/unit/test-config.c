/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmConfig on real and made-up files: every key, every enumeration, and everything a file can do wrong. */
#include "config/config-private.h"
#include "schema/schema.h"

#include <math.h>
#include <plist/plist.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- helpers --- */

/* Samples that together have every key, and the one that is gone through now. */
static const struct {
	const char *name;
	guint type;
} samples[] = {
	{ "full.plist", UTM_CONFIG_SCHEMA_QEMU },
	{ "apple-macos.plist", UTM_CONFIG_SCHEMA_APPLE },
	{ "apple-linux.plist", UTM_CONFIG_SCHEMA_APPLE },
};
static const char *sample = "full.plist";

static char *sample_path(const char *name)
{
	return g_test_build_filename(G_TEST_DIST, "data", "config", name, NULL);
}

static char *read_sample(const char *name, gsize *ret_size)
{
	g_autofree char *path = sample_path(name);
	char *data = NULL;
	GError *error = NULL;
	if (!g_file_get_contents(path, &data, ret_size, &error))
		g_error("%s", error->message);
	return data;
}

static UtmConfig *load_sample(const char *name)
{
	g_autoptr(UtmError) error = NULL;
	g_autofree char *path = sample_path(name);
	UtmConfig *config = NULL;
	if (utm_config_new_from_file(path, &config, &error) < 0)
		g_error("%s: %s: %s", path, utm_error_get_key_path(error), utm_error_get_message(error));
	return config;
}

static plist_t parse(const char *name)
{
	gsize size;
	g_autofree char *data = read_sample(name, &size);
	plist_t root = NULL;
	plist_from_xml(data, (uint32_t)size, &root);
	g_assert_nonnull(root);
	return root;
}

static int load_tree(plist_t root, UtmConfig **ret_config, UtmError **error)
{
	char *xml = NULL;
	uint32_t size = 0;
	plist_to_xml(root, &xml, &size);
	int result = utm_config_new_from_data(xml, size, ret_config, error);
	free(xml);
	return result;
}

/* "Drive[1].ImageName": the dictionary that has the last key, and that key. */
static plist_t find_parent(plist_t root, const char *path, char **ret_key)
{
	g_auto(GStrv) steps = g_strsplit(path, ".", -1);
	plist_t node = root;
	for (int i = 0; steps[i + 1]; i++) {
		char *bracket = strchr(steps[i], '[');
		if (bracket)
			*bracket++ = 0;
		node = plist_dict_get_item(node, steps[i]);
		if (bracket)
			node = plist_array_get_item(node, (uint32_t)atoi(bracket));
		g_assert_nonnull(node);
	}
	*ret_key = g_strdup(steps[g_strv_length(steps) - 1]);
	return node;
}

/* Loads the sample with one key replaced, or removed when the value is NULL. */
static int load_changed(const char *sample, const char *path, plist_t value, UtmConfig **ret_config, UtmError **error)
{
	g_autofree char *key = NULL;
	plist_t root = parse(sample);
	plist_t parent = find_parent(root, path, &key);
	if (value)
		plist_dict_set_item(parent, key, value);
	else
		plist_dict_remove_item(parent, key);
	int result = load_tree(root, ret_config, error);
	plist_free(root);
	return result;
}

static void assert_error(UtmError *error, int code, const char *key_path, const char *part)
{
	g_assert_nonnull(error);
	g_assert_cmpint(utm_error_get_code(error), ==, code);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, key_path);
	if (!strstr(utm_error_get_message(error), part))
		g_error("\"%s\" does not say \"%s\"", utm_error_get_message(error), part);
}

static void assert_refused(const char *path, plist_t value, int code, const char *part)
{
	g_autoptr(UtmError) error = NULL;
	UtmConfig *config = NULL;
	g_assert_cmpint(load_changed(sample, path, value, &config, &error), ==, code);
	g_assert_null(config);
	assert_error(error, code, path, part);
}

static int load_text(const char *text, UtmError **error)
{
	g_autoptr(UtmConfig) config = NULL;
	return utm_config_new_from_data(text, strlen(text), &config, error);
}

/* Every key of the sample, by the tables: calls fn(path, struct type, member). */
typedef void (*KeyFunc)(const char *path, const UtmSchemaMember *member);

static void walk(const UtmSchema *schema, guint type, plist_t dict, const char *prefix, KeyFunc fn)
{
	for (guint i = 0; i < schema->types[type].count; i++) {
		const UtmSchemaMember *member = utm__schema_member(schema, &schema->types[type], i);
		const char *name = utm__schema_string(schema, member->name);
		plist_t node = plist_dict_get_item(dict, name);
		g_autofree char *path = g_strdup_printf("%s%s%s", prefix, *prefix ? "." : "", name);
		if (!node)
			continue;
		fn(path, member);
		if (member->kind != UTM_SCHEMA_STRUCT)
			continue;
		guint count = member->flags & UTM_SCHEMA_ARRAY ? plist_array_get_size(node) : 1;
		for (guint j = 0; j < count; j++) {
			bool array = member->flags & UTM_SCHEMA_ARRAY;
			g_autofree char *below = array ? g_strdup_printf("%s[%u]", path, j) : g_strdup(path);
			walk(schema, member->type, array ? plist_array_get_item(node, j) : node, below, fn);
		}
	}
}

static void for_every_key(KeyFunc fn)
{
	for (gsize i = 0; i < G_N_ELEMENTS(samples); i++) {
		sample = samples[i].name;
		plist_t root = parse(sample);
		walk(&utm__config_schema, samples[i].type, root, "", fn);
		plist_free(root);
	}
	sample = "full.plist";
}

/* --- reading and writing back --- */

static void test_full_samples_are_byte_identical(void)
{
	static const char *const names[] = { "full.plist", "apple-macos.plist", "apple-linux.plist", "unknown-keys.plist",
		                                 "apple-unknown-keys.plist" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		gsize size, written_size;
		g_autofree char *data = read_sample(names[i], &size);
		g_autofree char *written = NULL;
		g_autoptr(UtmConfig) config = load_sample(names[i]);
		g_assert_cmpint(utm_config_to_plist(config, &written, &written_size, NULL), ==, 0);
		g_assert_cmpstr(written, ==, data);
		g_assert_cmpuint(written_size, ==, size);
		g_assert_cmpint(written[size], ==, 0);
	}
}

/* An edit changes its value in the file and nothing else, whatever else there is. */
static void test_unknown_keys_survive_edits(void)
{
	static const char *const names[] = { "unknown-keys.plist", "apple-unknown-keys.plist" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		gsize size, written_size;
		g_autofree char *data = read_sample(names[i], &size);
		g_autofree char *written = NULL;
		g_autoptr(UtmConfig) loaded = load_sample(names[i]);
		g_autoptr(UtmConfig) config = utm_config_copy(loaded);
		g_assert_cmpint(utm_config_set_int(config, "System.MemorySize", 77777, NULL), ==, 0);
		g_assert_cmpint(utm_config_to_plist(config, &written, &written_size, NULL), ==, 0);
		g_auto(GStrv) before = g_strsplit(data, "\n", -1);
		g_auto(GStrv) after = g_strsplit(written, "\n", -1);
		g_assert_cmpuint(g_strv_length(before), ==, g_strv_length(after));
		for (gsize line = 0; before[line]; line++)
			if (strcmp(before[line], after[line]) != 0)
				g_assert_cmpstr(after[line], ==, "\t\t<integer>77777</integer>");
		g_assert_nonnull(strstr(written, "77777"));
	}
}

/* Of the structs that a file of version 4 is made of, no key is in none of the samples. */
static GHashTable *keys_met;

static void meet_key(const char *path, const UtmSchemaMember *member)
{
	g_hash_table_add(keys_met, (void *)member);
}

static void test_samples_have_every_key(void)
{
	static const char *const old[] = { "Bookmark", "SharedDirectory", "Trackpad" };
	const UtmSchema *schema = &utm__config_schema;
	keys_met = g_hash_table_new(NULL, NULL);
	for_every_key(meet_key);
	for (guint type = 0; type < schema->type_count; type++) {
		const UtmSchemaType *row = &schema->types[type];
		bool counts = row->kind == UTM_SCHEMA_STRUCT && type != UTM_CONFIG_SCHEMA_VERSION &&
		              type != UTM_CONFIG_SCHEMA_APPLE_SHARED_DIRECTORY;
		for (guint i = 0; counts && i < row->count; i++) {
			const UtmSchemaMember *member = utm__schema_member(schema, row, i);
			const char *name = utm__schema_string(schema, member->name);
			bool is_old = false;
			for (gsize j = 0; j < G_N_ELEMENTS(old); j++)
				is_old |= strcmp(name, old[j]) == 0;
			if (!is_old && !g_hash_table_contains(keys_met, member))
				g_error("%s.%s is in no sample", utm__schema_string(schema, row->name), name);
		}
	}
	g_hash_table_unref(keys_met);
}

static void test_binary(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(samples); i++) {
		plist_t root = parse(samples[i].name);
		char *binary = NULL;
		uint32_t size = 0;
		plist_to_bin(root, &binary, &size);
		g_autoptr(UtmConfig) config = NULL;
		g_autoptr(UtmConfig) expected = load_sample(samples[i].name);
		g_assert_cmpint(utm_config_new_from_data(binary, size, &config, NULL), ==, 0);
		g_assert_true(utm_config_equal(config, expected));
		free(binary);
		plist_free(root);
	}
}

static void test_from_json(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(samples); i++) {
		g_autoptr(UtmConfig) expected = load_sample(samples[i].name);
		g_autoptr(UtmConfig) config = NULL;
		g_autofree char *json = NULL;
		g_assert_cmpint(utm_config_to_json(expected, NULL, &json, NULL), ==, 0);
		g_assert_cmpint(utm_config_load_json(json, NULL, &config, NULL), ==, 0);
		g_assert_true(utm_config_equal(config, expected));
	}
	UtmConfig *config = NULL;
	g_assert_cmpint(utm_config_load_json("[]", NULL, &config, NULL), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpint(utm_config_load_json(NULL, NULL, &config, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_load_json("{}", NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

static const struct {
	const char *name;
	bool identical; /* as UTM itself wrote it */
	int code;
} corpus[] = {
	{ "v4-qemu-aarch64-eve-pi4.plist", false, 0 },
	{ "v4-qemu-aarch64-lp-zero.plist", false, 0 },
	{ "v4-qemu-aarch64-openwrt-vlan.plist", false, 0 },
	{ "v4-qemu-m68k-mac-os-7.5.5.plist", true, 0 },
	{ "v4-qemu-m68k-mac-os-7.6.1.plist", true, 0 },
	{ "v4-qemu-m68k-mac-os-8.1.plist", true, 0 },
	{ "v4-qemu-m68k-system-7.1.2.plist", true, 0 },
	{ "v4-qemu-x86_64-operator-binary.plist", false, 0 },
	{ "v4-qemu-x86_64-os-x-10.6.plist", true, 0 },
	{ "v4-qemu-x86_64-tcp-serial.plist", false, 0 },
	{ "v4-apple-linux-nixos-1.plist", false, 0 },
	{ "v4-apple-linux-nixos-3.plist", false, 0 },
	{ "invalid-apple-macos-testdata.plist", false, UTM_ERROR_CONFIG_TOO_OLD },
	{ "invalid-v4-apple-linux-reelos.plist", false, UTM_ERROR_CONFIG_MALFORMED },
	{ "v2-aarch64-armbian.plist", false, 0 },
	{ "v2-ppc-mac-os-9.1.plist", false, 0 },
	{ "v2-ppc-mac-os-9.2.2.plist", false, 0 },
	{ "v2-ppc-os-x-10.0.plist", false, 0 },
	{ "v2-ppc-os-x-10.2.plist", false, 0 },
	{ "v2-ppc-os-x-10.4-ppc.plist", false, 0 },
	{ "v2-ppc-os-x-server-10.1.plist", false, 0 },
	{ "v2-ppc-os-x-server-10.4-ppc.plist", false, 0 },
	{ "v2-x86_64-os-x-10.10.plist", false, 0 },
	{ "v2-x86_64-os-x-10.9.plist", false, 0 },
};

/* The same values by way of JSON and of a binary list. */
static void check_other_codecs(const UtmConfig *config, const char *xml, gsize size)
{
	g_autofree char *json = NULL;
	g_autoptr(UtmConfig) from_json = NULL;
	g_autoptr(UtmConfig) from_binary = NULL;
	plist_t root = NULL;
	char *binary = NULL;
	uint32_t binary_size = 0;
	g_assert_cmpint(utm_config_to_json(config, NULL, &json, NULL), ==, 0);
	g_assert_cmpint(utm_config_load_json(json, NULL, &from_json, NULL), ==, 0);
	g_assert_true(utm_config_equal(config, from_json));
	plist_from_xml(xml, (uint32_t)size, &root);
	plist_to_bin(root, &binary, &binary_size);
	g_assert_cmpint(utm_config_new_from_data(binary, binary_size, &from_binary, NULL), ==, 0);
	g_assert_true(utm_config_equal(config, from_binary));
	free(binary);
	plist_free(root);
}

static void check_corpus_file(const char *path, bool identical, int code)
{
	gsize size, again_size;
	g_autofree char *data = NULL;
	g_autofree char *again = NULL;
	g_autoptr(UtmConfig) config = NULL;
	g_autoptr(UtmConfig) reread = NULL;
	g_assert_true(g_file_get_contents(path, &data, &size, NULL));
	g_assert_cmpint(utm_config_new_from_data(data, size, &config, NULL), ==, code);
	if (code < 0)
		return;
	g_assert_cmpint(utm_config_to_plist(config, &again, &again_size, NULL), ==, 0);
	if (identical)
		g_assert_cmpstr(again, ==, data);
	g_assert_cmpint(utm_config_new_from_data(again, again_size, &reread, NULL), ==, 0);
	g_assert_true(utm_config_equal(config, reread));
	check_other_codecs(config, again, again_size);
}

static void test_corpus(void)
{
	const char *directory = g_getenv("UTM_TEST_CORPUS");
	if (!directory || !g_file_test(directory, G_FILE_TEST_IS_DIR)) {
		g_test_skip("no corpus");
		return;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(corpus); i++) {
		g_autofree char *path = g_build_filename(directory, corpus[i].name, NULL);
		g_test_message("%s", corpus[i].name);
		check_corpus_file(path, corpus[i].identical, corpus[i].code);
	}
	/* None was forgotten, but those that are no configurations. */
	g_autoptr(GDir) names = g_dir_open(directory, 0, NULL);
	for (const char *name; (name = g_dir_read_name(names));) {
		bool known = !g_str_has_suffix(name, ".plist") || g_str_has_prefix(name, "view-");
		for (gsize i = 0; i < G_N_ELEMENTS(corpus); i++)
			known |= strcmp(name, corpus[i].name) == 0;
		if (!known)
			g_error("%s is not tried", name);
	}
}

/* Our own of every version: read, written, and read again to equal values. */
static void test_samples_are_stable(void)
{
	g_autofree char *directory = g_test_build_filename(G_TEST_DIST, "data", "config", NULL);
	g_autoptr(GDir) names = g_dir_open(directory, 0, NULL);
	int count = 0;
	for (const char *name; (name = g_dir_read_name(names)); count++) {
		g_autofree char *path = g_build_filename(directory, name, NULL);
		g_test_message("%s", name);
		/* Hints and what the modes rule out stay in memory until the first save. */
		bool is_early = strcmp(name, "apple-early.plist") == 0 || strcmp(name, "legacy-apple-2.plist") == 0;
		if (!is_early)
			check_corpus_file(path, false, 0);
		g_autoptr(UtmConfig) config = load_sample(name);
		g_assert_nonnull(config);
	}
	g_assert_cmpint(count, >=, 14);
}

static int64_t get_int(const UtmConfig *config, const char *path)
{
	int64_t value = -12345;
	g_assert_cmpint(utm_config_get_int(config, path, &value, NULL), ==, 0);
	return value;
}

static bool get_bool(const UtmConfig *config, const char *path)
{
	bool value;
	g_assert_cmpint(utm_config_get_bool(config, path, &value, NULL), ==, 0);
	return value;
}

static void assert_string(const UtmConfig *config, const char *path, const char *expected)
{
	g_autofree char *value = NULL;
	g_assert_cmpint(utm_config_get_string(config, path, &value, NULL), ==, 0);
	g_assert_cmpstr(value, ==, expected);
}

static bool has(const UtmConfig *config, const char *path)
{
	bool present;
	g_assert_cmpint(utm_config_has(config, path, &present, NULL), ==, 0);
	return present;
}

static void test_early_file(void)
{
	g_autoptr(UtmConfig) config = load_sample("early.plist");
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	g_assert_cmpint(get_int(config, "ConfigurationVersion"), ==, 4);
	g_assert_cmpint(get_int(config, "System.CPUCount"), ==, 2);
	g_assert_cmpstr(utm_config_get_uuid(config), ==, "AABBCCDD-1122-3344-5566-77889900AABB");
	g_assert_cmpstr(utm_config_get_name(config), ==, "Early");
	g_assert_false(has(config, "Information.Notes"));
	g_assert_false(get_bool(config, "QEMU.TSO"));
	g_assert_false(qemu->drive[0]->read_only);
	g_assert_true(qemu->drive[1]->read_only);
	g_assert_cmpint(qemu->drive[0]->interface_version, ==, 0);
	g_assert_true(qemu->serial[0]->terminal->cursor_blink);
	g_assert_null(qemu->serial[0]->terminal->foreground_color);
	const UtmConfigPortForward *old = qemu->network[0]->port_forward[1];
	g_assert_cmpint(old->protocol, ==, UTM_CONFIG_PROTOCOL_UDP);
	g_assert_cmpint(old->host_port, ==, 5353);
	g_assert_cmpstr(old->host_address, ==, "127.0.0.1");
}

static void test_mode_dependent_keys_are_dropped(void)
{
	static const char *const cases[][3] = {
		{ "Network[0].Mode", "Shared", "BridgeInterface" },
		{ "Network[2].Mode", "Emulated", "HostNetUuid" },
		{ "Serial[0].Mode", "Ptty", "ForegroundColor" },
		{ "Serial[2].Mode", "TcpClient", "WaitForConnection" },
		{ "Serial[2].Mode", "Terminal", "RemoteConnectionAllowed" },
		{ "Serial[3].Mode", "TcpServer", "TcpHostAddress" },
		{ "Serial[0].Terminal.Theme", "Default", "#101010" },
		{ "Drive[0].ImageType", "BIOS", "VirtIO" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(UtmConfig) config = load_sample("full.plist");
		g_autofree char *before = NULL;
		g_autofree char *after = NULL;
		size_t size;
		g_assert_cmpint(utm_config_to_plist(config, &before, &size, NULL), ==, 0);
		g_assert_nonnull(strstr(before, cases[i][2]));
		g_assert_cmpint(utm_config_set_string(config, cases[i][0], cases[i][1], NULL), ==, 0);
		g_assert_cmpint(utm_config_to_plist(config, &after, &size, NULL), ==, 0);
		g_assert_null(strstr(after, cases[i][2]));
	}
}

static void test_icon(void)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	g_autofree char *written = NULL;
	size_t size;
	assert_refused("Information.Icon", NULL, UTM_ERROR_CONFIG_MALFORMED, "missing");
	g_assert_cmpint(utm_config_set_string(config, "Information.Icon", NULL, NULL), ==, 0);
	g_assert_cmpint(utm_config_to_plist(config, &written, &size, NULL), ==, 0);
	g_assert_nonnull(strstr(written, "<key>IconCustom</key>\n\t\t<false/>"));
}

/* --- each key --- */

/* What these are when absent, as the format says. */
static const struct {
	const char *path;
	const char *json;
} defaults[] = {
	{ "QEMU.TSO", "false" },         { "Drive[0].InterfaceVersion", "0" },         { "Drive[0].ReadOnly", "false" },
	{ "Drive[1].ReadOnly", "true" }, { "Serial[0].Terminal.CursorBlink", "true" },
	{ "Drive[0].Nvme", "false" },    { "Drive[1].Nvme", "false" },
	{ "Display[0].DynamicResolution", "true" }, { "System.Boot.UEFIBoot", "false" },
	{ "Virtualization.ClipboardSharing", "false" },
};

static const char *default_of(const char *path)
{
	for (gsize i = 0; i < G_N_ELEMENTS(defaults); i++)
		if (strcmp(defaults[i].path, path) == 0)
			return defaults[i].json;
	return NULL;
}

static void remove_key(const char *path, const UtmSchemaMember *member)
{
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmConfig) config = NULL;
	int result = load_changed(sample, path, NULL, &config, &error);
	if (strcmp(path, "Backend") == 0) { /* then it should be an older one */
		assert_error(error, UTM_ERROR_CONFIG_TOO_NEW, "ConfigurationVersion", "without Backend");
	} else if (strcmp(path, "ConfigurationVersion") == 0) {
		assert_error(error, UTM_ERROR_CONFIG_TOO_OLD, path, "");
	} else if (!(member->flags & UTM_SCHEMA_OPTIONAL) ||
	           (strcmp(path, "Information.Icon") == 0 && strcmp(sample, "apple-linux.plist") != 0)) {
		assert_error(error, UTM_ERROR_CONFIG_MALFORMED, path, "missing");
	} else {
		g_assert_cmpint(result, ==, 0);
		const char *expected = default_of(path);
		g_autofree char *json = NULL;
		if (expected) {
			g_assert_cmpint(utm_config_to_json(config, path, &json, NULL), ==, 0);
			g_assert_cmpstr(json, ==, expected);
		} else if (!utm__schema_find_fact(&utm__config_schema, member, UTM_SCHEMA_FACT_DEFAULT)) {
			g_assert_false(has(config, path));
		}
	}
}

static void test_each_key_removed(void)
{
	for_every_key(remove_key);
}

/* A value that no key of this kind accepts. */
static void mistype_key(const char *path, const UtmSchemaMember *member)
{
	g_autoptr(UtmError) error = NULL;
	UtmConfig *config = NULL;
	bool takes_string = member->kind == UTM_SCHEMA_STRING || member->kind == UTM_SCHEMA_ENUM;
	bool array = member->flags & UTM_SCHEMA_ARRAY;
	/* Keyboards and pointers of early files are booleans. */
	bool takes_bool = utm__schema_find_fact(&utm__config_schema, member, UTM_SCHEMA_FACT_FROM_BOOL);
	plist_t wrong[] = { array ? plist_new_dict() : plist_new_array(), plist_new_uint(1),
		                member->kind == UTM_SCHEMA_ANY ? plist_new_dict() : plist_new_data("x", 1),
		                takes_bool ? plist_new_dict() : takes_string && !array ? plist_new_bool(1) : plist_new_string("true") };
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		if (i == 1 && member->kind == UTM_SCHEMA_INT) {
			plist_free(wrong[i]);
			wrong[i] = plist_new_bool(1);
		}
		g_assert_cmpint(load_changed(sample, path, wrong[i], &config, &error), ==, UTM_ERROR_CONFIG_MALFORMED);
		assert_error(error, UTM_ERROR_CONFIG_MALFORMED, path, "must be ");
		g_clear_pointer(&error, utm_error_unref);
	}
}

static void test_each_key_of_a_wrong_type(void)
{
	for_every_key(mistype_key);
}

static void spell_enum(const char *path, const UtmSchemaMember *member)
{
	if (member->kind != UTM_SCHEMA_ENUM || strcmp(path, "Backend") == 0)
		return;
	guint count = utm__config_schema.types[member->type].count;
	for (guint value = 0; value < count; value++) {
		g_autoptr(UtmConfig) config = NULL;
		g_autoptr(UtmConfig) again = NULL;
		g_autofree char *written = NULL;
		size_t size;
		const char *text = utm__schema_enum_get_text(&utm__config_schema, member->type, (int32_t)value);
		g_assert_cmpint(load_changed(sample, path, plist_new_string(text), &config, NULL), ==, 0);
		assert_string(config, path, text);
		g_assert_cmpint(utm_config_to_plist(config, &written, &size, NULL), ==, 0);
		g_assert_cmpint(utm_config_new_from_data(written, size, &again, NULL), ==, 0);
		/* A file has no interface for what is neither disk nor CD, and no terminal outside that mode. */
		if (!g_str_has_suffix(path, ".Interface") && has(again, path))
			assert_string(again, path, text);
	}
	assert_refused(path, plist_new_string("Nonsense"), UTM_ERROR_CONFIG_INVALID_VALUE, "is not allowed; use ");
	assert_refused(path, plist_new_string(""), UTM_ERROR_CONFIG_INVALID_VALUE, "is not allowed; use ");
	const char *first = utm__schema_enum_get_text(&utm__config_schema, member->type, 0);
	g_autofree char *swapped = g_strdup(first);
	for (char *p = swapped; *p; p++)
		*p = g_ascii_isupper(*p) ? g_ascii_tolower(*p) : g_ascii_toupper(*p);
	if (strcmp(swapped, first) != 0)
		assert_refused(path, plist_new_string(swapped), UTM_ERROR_CONFIG_INVALID_VALUE, first);
}

static void test_each_enumeration(void)
{
	for_every_key(spell_enum);
}

/* --- single rules --- */

static void test_integers(void)
{
	g_autoptr(UtmConfig) config = NULL;
	g_assert_cmpint(load_changed("full.plist", "System.MemorySize", plist_new_real(4.0), &config, NULL), ==, 0);
	g_assert_cmpint(get_int(config, "System.MemorySize"), ==, 4);
	assert_refused("System.MemorySize", plist_new_real(4.5), UTM_ERROR_CONFIG_MALFORMED, "integer");
	assert_refused("System.MemorySize", plist_new_real(1e19), UTM_ERROR_CONFIG_MALFORMED, "integer");
	assert_refused("System.MemorySize", plist_new_bool(1), UTM_ERROR_CONFIG_MALFORMED, "not a boolean");
	assert_refused("QEMU.TSO", plist_new_uint(1), UTM_ERROR_CONFIG_MALFORMED, "not an integer");
	/* Out of range, but UTM reads it, so it is kept; an edit could not make it. */
	g_clear_pointer(&config, utm_config_unref);
	g_assert_cmpint(load_changed("full.plist", "Serial[2].TcpPort", plist_new_uint(70000), &config, NULL), ==, 0);
	g_assert_cmpint(get_int(config, "Serial[2].TcpPort"), ==, 70000);
	g_assert_cmpint(utm_config_set_int(config, "Serial[2].TcpPort", 70000, NULL), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
}

static void test_uuid(void)
{
	static const char *const wrong[] = { "",
		                                 "x",
		                                 "aabbccdd-1122-3344-5566-77889900aab",
		                                 "aabbccdd112233445566778899001122",
		                                 "aabbccdd-1122-3344-5566-77889900aabbc",
		                                 "{abbccdd-1122-3344-5566-77889900aab}",
		                                 "gabbccdd-1122-3344-5566-77889900aabb" };
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		assert_refused("Information.UUID", plist_new_string(wrong[i]), UTM_ERROR_CONFIG_MALFORMED, "UUID");
		assert_refused("Network[2].HostNetUuid", plist_new_string(wrong[i]), UTM_ERROR_CONFIG_MALFORMED, "UUID");
	}
	g_autoptr(UtmConfig) config = NULL;
	plist_t lower = plist_new_string("aabbccdd-1122-3344-5566-77889900aabb");
	g_assert_cmpint(load_changed("full.plist", "Network[2].HostNetUuid", lower, &config, NULL), ==, 0);
	assert_string(config, "Network[2].HostNetUuid", "AABBCCDD-1122-3344-5566-77889900AABB");
}

static plist_t port_forward(const char *const *keys, const char *protocol)
{
	plist_t entry = plist_new_dict();
	plist_dict_set_item(entry, keys[0], plist_new_string(protocol));
	plist_dict_set_item(entry, keys[1], plist_new_uint(1));
	plist_dict_set_item(entry, keys[2], plist_new_uint(2));
	return entry;
}

static int load_port_forward(plist_t entry, UtmConfig **ret_config, UtmError **error)
{
	plist_t array = plist_new_array();
	plist_array_append_item(array, entry);
	return load_changed("full.plist", "Network[1].PortForward", array, ret_config, error);
}

static void test_port_forward_spellings(void)
{
	static const char *const current[] = { "Protocol", "HostPort", "GuestPort" };
	static const char *const old[] = { "protocol", "hostPort", "guestPort" };
	static const char *const mixed[] = { "Protocol", "hostPort", "guestPort" };
	g_autoptr(UtmConfig) a = NULL;
	g_autoptr(UtmConfig) b = NULL;
	g_autoptr(UtmConfig) c = NULL;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(load_port_forward(port_forward(current, "TCP"), &a, NULL), ==, 0);
	g_assert_cmpint(load_port_forward(port_forward(old, "TCP"), &b, NULL), ==, 0);
	g_assert_true(utm_config_equal(a, b));

	g_assert_cmpint(load_port_forward(port_forward(mixed, "TCP"), &c, &error), ==, UTM_ERROR_CONFIG_MALFORMED);
	assert_error(error, UTM_ERROR_CONFIG_MALFORMED, "Network[1].PortForward[0].protocol", "missing");
	g_clear_pointer(&error, utm_error_unref);

	g_assert_cmpint(load_port_forward(port_forward(old, "SCTP"), &c, &error), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	assert_error(error, UTM_ERROR_CONFIG_INVALID_VALUE, "Network[1].PortForward[0].protocol", "use TCP or UDP");
	g_clear_pointer(&error, utm_error_unref);

	plist_t wrong = port_forward(current, "TCP");
	plist_dict_set_item(wrong, "HostPort", plist_new_string("1"));
	g_assert_cmpint(load_port_forward(wrong, &c, &error), ==, UTM_ERROR_CONFIG_MALFORMED);
	assert_error(error, UTM_ERROR_CONFIG_MALFORMED, "Network[1].PortForward[0].HostPort", "must be an integer");

	/* Read in the old spelling, the other one is not kept beside it: the file would have the key twice. */
	plist_t both = port_forward(old, "UDP");
	plist_dict_set_item(both, "HostPort", plist_new_uint(99));
	g_assert_cmpint(load_port_forward(both, &c, NULL), ==, 0);
	g_assert_cmpint(get_int(c, "Network[1].PortForward[0].HostPort"), ==, 1);
}

/* Keys of the root, and what comes of them: a format, or an error and where. */
static const struct {
	const char *keys;
	int code;
	const char *key_path;
	UtmConfigFormat format;
	int64_t version;
} decisions[] = {
	/* Without a back end: older formats, Apple's first. */
	{ "", 0, NULL, UTM_CONFIG_FORMAT_LEGACY_QEMU, 0 },
	{ "'ConfigurationVersion': 0", 0, NULL, UTM_CONFIG_FORMAT_LEGACY_QEMU, 0 },
	{ "'ConfigurationVersion': 1", 0, NULL, UTM_CONFIG_FORMAT_LEGACY_QEMU, 1 },
	{ "'ConfigurationVersion': 2", 0, NULL, UTM_CONFIG_FORMAT_LEGACY_QEMU, 2 },
	{ "'ConfigurationVersion': -1", 0, NULL, UTM_CONFIG_FORMAT_LEGACY_QEMU, -1 },
	{ "'Backend': 'Unknown', 'ConfigurationVersion': 2", 0, NULL, UTM_CONFIG_FORMAT_LEGACY_QEMU, 2 },
	{ "'version': 3", 0, NULL, UTM_CONFIG_FORMAT_LEGACY_QEMU, 0 },
	{ "'version': 3, 'isAppleVirtualization': false", 0, NULL, UTM_CONFIG_FORMAT_LEGACY_QEMU, 0 },
	{ "'ConfigurationVersion': 3", UTM_ERROR_CONFIG_TOO_NEW, "ConfigurationVersion", 0, 0 },
	{ "'ConfigurationVersion': 4", UTM_ERROR_CONFIG_TOO_NEW, "ConfigurationVersion", 0, 0 },
	{ "'Backend': 'Unknown', 'ConfigurationVersion': 4", UTM_ERROR_CONFIG_TOO_NEW, "ConfigurationVersion", 0, 0 },
	{ "'ConfigurationVersion': 9223372036854775807", UTM_ERROR_CONFIG_TOO_NEW, "ConfigurationVersion", 0, 0 },
	{ "'version': 4", UTM_ERROR_CONFIG_TOO_NEW, "version", 0, 0 },
	{ "'version': 4, 'isAppleVirtualization': true", UTM_ERROR_CONFIG_TOO_NEW, "version", 0, 0 },
	{ "'version': 4, 'ConfigurationVersion': 2", UTM_ERROR_CONFIG_TOO_NEW, "version", 0, 0 },
	{ "'version': '1', 'ConfigurationVersion': 2", UTM_ERROR_CONFIG_MALFORMED, "version", 0, 0 },
	{ "'version': true", UTM_ERROR_CONFIG_MALFORMED, "version", 0, 0 },
	{ "'isAppleVirtualization': 1", UTM_ERROR_CONFIG_MALFORMED, "isAppleVirtualization", 0, 0 },
	{ "'isAppleVirtualization': true", UTM_ERROR_CONFIG_INVALID_BACKEND, "isAppleVirtualization", 0, 0 },
	{ "'version': 0, 'isAppleVirtualization': true", UTM_ERROR_CONFIG_INVALID_BACKEND, "isAppleVirtualization", 0, 0 },
	{ "'version': -3, 'isAppleVirtualization': true", UTM_ERROR_CONFIG_INVALID_BACKEND, "isAppleVirtualization", 0, 0 },
	/* It is one of Apple's, so whatever is wrong in it is an error. */
	{ "'version': 1, 'isAppleVirtualization': true", UTM_ERROR_CONFIG_MALFORMED, "name", 0, 0 },
	{ "'version': 3, 'isAppleVirtualization': true, 'ConfigurationVersion': 2", UTM_ERROR_CONFIG_MALFORMED, "name", 0, 0 },
	/* With one: version 4 and no other. */
	{ "'Backend': 'QEMU'", UTM_ERROR_CONFIG_TOO_OLD, "ConfigurationVersion", 0, 0 },
	{ "'Backend': 'QEMU', 'ConfigurationVersion': 2", UTM_ERROR_CONFIG_TOO_OLD, "ConfigurationVersion", 0, 0 },
	{ "'Backend': 'QEMU', 'ConfigurationVersion': 3", UTM_ERROR_CONFIG_TOO_OLD, "ConfigurationVersion", 0, 0 },
	{ "'Backend': 'QEMU', 'ConfigurationVersion': 5", UTM_ERROR_CONFIG_TOO_NEW, "ConfigurationVersion", 0, 0 },
	{ "'Backend': 'Apple'", UTM_ERROR_CONFIG_TOO_OLD, "ConfigurationVersion", 0, 0 },
	{ "'Backend': 'Apple', 'version': 3, 'isAppleVirtualization': true", UTM_ERROR_CONFIG_TOO_OLD,
	  "ConfigurationVersion", 0, 0 },
	{ "'Backend': 'Apple', 'ConfigurationVersion': 5", UTM_ERROR_CONFIG_TOO_NEW, "ConfigurationVersion", 0, 0 },
	{ "'Backend': 'QEMU', 'ConfigurationVersion': 4", UTM_ERROR_CONFIG_MALFORMED, "Information", 0, 0 },
	{ "'Backend': 'Apple', 'ConfigurationVersion': 4", UTM_ERROR_CONFIG_MALFORMED, "Information", 0, 0 },
	/* Keys of the older formats mean nothing then. */
	{ "'Backend': 'QEMU', 'ConfigurationVersion': 4, 'version': 'x'", UTM_ERROR_CONFIG_MALFORMED, "Information", 0, 0 },
	/* Wrong words and types of the two keys, whatever else. */
	{ "'Backend': 'qemu'", UTM_ERROR_CONFIG_INVALID_VALUE, "Backend", 0, 0 },
	{ "'Backend': 'apple', 'ConfigurationVersion': 4", UTM_ERROR_CONFIG_INVALID_VALUE, "Backend", 0, 0 },
	{ "'Backend': ''", UTM_ERROR_CONFIG_INVALID_VALUE, "Backend", 0, 0 },
	{ "'Backend': true", UTM_ERROR_CONFIG_MALFORMED, "Backend", 0, 0 },
	{ "'Backend': 'QEMU', 'ConfigurationVersion': '4'", UTM_ERROR_CONFIG_MALFORMED, "ConfigurationVersion", 0, 0 },
	{ "'ConfigurationVersion': '2'", UTM_ERROR_CONFIG_MALFORMED, "ConfigurationVersion", 0, 0 },
	{ "'ConfigurationVersion': true", UTM_ERROR_CONFIG_MALFORMED, "ConfigurationVersion", 0, 0 },
	{ "'ConfigurationVersion': 1.5", UTM_ERROR_CONFIG_MALFORMED, "ConfigurationVersion", 0, 0 },
};

static void test_decision(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(decisions); i++) {
		g_autoptr(UtmError) error = NULL;
		g_autoptr(UtmConfig) config = NULL;
		g_autofree char *json = g_strdup_printf("{%s}", decisions[i].keys);
		int64_t version = -99;
		g_test_message("%s", json);
		g_assert_cmpint(utm_config_load_json(json, NULL, &config, &error), ==, decisions[i].code);
		if (decisions[i].code < 0) {
			assert_error(error, decisions[i].code, decisions[i].key_path, "");
			g_assert_null(config);
			continue;
		}
		g_assert_cmpint(utm_config_get_format(config, &version), ==, decisions[i].format);
		g_assert_cmpint(version, ==, decisions[i].version);
		g_assert_cmpint(utm_config_get_backend(config), ==, UTM_BACKEND_QEMU);
	}
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(load_text("<plist version=\"1.0\"><array/></plist>", &error), ==, UTM_ERROR_CONFIG_MALFORMED);
}

/* --- rules of the Apple back end --- */

static UtmConfig *load_devices(const char *devices, UtmError **error)
{
	g_autofree char *json = g_strdup_printf(
		"{'Backend':'Apple','ConfigurationVersion':4,'Information':{'Name':'','IconCustom':false,"
		"'UUID':'aabbccdd-1122-3344-5566-77889900aabb'},'System':{'Architecture':'','CPUCount':1,'MemorySize':1,"
		"'Boot':{'OperatingSystem':'None'}},'Virtualization':{'Audio':false,'Balloon':false,'Entropy':false,%s},"
		"'Display':[],'Drive':[],'Network':[],'Serial':[]}", devices);
	UtmConfig *config = NULL;
	return utm_config_load_json(json, NULL, &config, error) < 0 ? NULL : config;
}

/* Booleans of early files in every combination with words and with the trackpad. */
static void test_keyboard_and_pointer(void)
{
	static const struct {
		const char *devices, *keyboard, *pointer;
	} cases[] = {
		{ "'Keyboard':true,'Pointer':true", "Generic", "Mouse" },
		{ "'Keyboard':false,'Pointer':false", "Disabled", "Disabled" },
		{ "'Keyboard':true,'Pointer':true,'Trackpad':true", "Generic", "Trackpad" },
		{ "'Trackpad':true,'Pointer':false,'Keyboard':false", "Disabled", "Trackpad" },
		{ "'Keyboard':true,'Pointer':true,'Trackpad':false", "Generic", "Mouse" },
		{ "'Keyboard':true,'Pointer':false,'Trackpad':false", "Generic", "Disabled" },
		{ "'Keyboard':'Mac','Pointer':'Mouse'", "Mac", "Mouse" },
		{ "'Keyboard':'Mac','Pointer':'Mouse','Trackpad':true", "Mac", "Mouse" },
		{ "'Keyboard':'Disabled','Pointer':'Trackpad','Trackpad':false", "Disabled", "Trackpad" },
		{ "'Keyboard':'Generic','Pointer':true", "Generic", "Mouse" },
		{ "'Keyboard':true,'Pointer':'Disabled'", "Generic", "Disabled" },
		/* Only a boolean pointer looks at it. */
		{ "'Keyboard':true,'Pointer':'Mouse','Trackpad':'nonsense'", "Generic", "Mouse" },
		{ "'Keyboard':true,'Trackpad':{'a':[1]},'Pointer':'Mouse'", "Generic", "Mouse" },
	};
	static const char *const wrong[][2] = {
		{ "'Keyboard':true,'Pointer':true,'Trackpad':'nonsense'", "Virtualization.Trackpad" },
		{ "'Trackpad':1,'Keyboard':true,'Pointer':false", "Virtualization.Trackpad" },
		{ "'Keyboard':1,'Pointer':true", "Virtualization.Keyboard" },
		{ "'Keyboard':'Trackpad','Pointer':true", "Virtualization.Keyboard" },
		{ "'Keyboard':true,'Pointer':'Mac'", "Virtualization.Pointer" },
		{ "'Keyboard':true", "Virtualization.Pointer" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(UtmConfig) config = load_devices(cases[i].devices, NULL);
		g_test_message("%s", cases[i].devices);
		g_assert_nonnull(config);
		assert_string(config, "Virtualization.Keyboard", cases[i].keyboard);
		assert_string(config, "Virtualization.Pointer", cases[i].pointer);
		g_assert_false(has(config, "Virtualization.Trackpad"));
		g_assert_cmpint(utm_config_set_bool(config, "Virtualization.Trackpad", true, NULL), ==,
		                UTM_ERROR_CONFIG_INVALID_VALUE);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(UtmError) error = NULL;
		g_test_message("%s", wrong[i][0]);
		g_assert_null(load_devices(wrong[i][0], &error));
		g_assert_cmpstr(utm_error_get_key_path(error), ==, wrong[i][1]);
	}
}

static void test_early_apple_file(void)
{
	g_autoptr(UtmConfig) config = load_sample("apple-early.plist");
	g_autofree char *written = NULL;
	g_autofree char *json = NULL;
	size_t size;
	g_assert_cmpint(utm_config_get_backend(config), ==, UTM_BACKEND_APPLE);
	g_assert_null(utm__config_get_qemu(config));
	g_assert_nonnull(utm__config_get_apple(config));
	g_assert_cmpstr(utm_config_get_name(config), ==, "Early");
	g_assert_cmpstr(utm_config_get_uuid(config), ==, "AABBCCDD-1122-3344-5566-77889900AABB");
	g_assert_false(get_bool(config, "System.Boot.UEFIBoot"));
	g_assert_false(get_bool(config, "Virtualization.ClipboardSharing"));
	g_assert_false(has(config, "Virtualization.Rosetta"));
	g_assert_true(get_bool(config, "Display[0].DynamicResolution"));
	g_assert_false(get_bool(config, "Drive[0].ReadOnly"));
	g_assert_true(get_bool(config, "Drive[1].ReadOnly"));
	g_assert_false(get_bool(config, "Drive[0].Nvme"));
	/* What UTM keeps elsewhere now is a hint, as long as nobody saves. */
	g_assert_false(has(config, "Drive[0].Bookmark"));
	g_assert_cmpint(utm_config_to_json(config, "Drive[1].Bookmark", &json, NULL), ==, 0);
	g_assert_cmpstr(json, ==, "{\n  \"$data\": \"Ym9va21hcms=\"\n}");
	g_assert_true(get_bool(config, "SharedDirectory[0].ReadOnly"));
	g_assert_false(has(config, "System.GenericPlatform"));
	g_assert_cmpint(utm_config_insert(config, "SharedDirectory", 0, "{}", NULL), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpint(utm_config_to_plist(config, &written, &size, NULL), ==, 0);
	static const char *const gone[] = { "Bookmark", "SharedDirectory", "<key>Trackpad", "BridgeInterface",
	                                    "GenericPlatform" };
	for (gsize i = 0; i < G_N_ELEMENTS(gone); i++)
		g_assert_null(strstr(written, gone[i]));
}

static void test_apple_modes(void)
{
	static const char *const cases[][4] = {
		{ "apple-macos.plist", "System.Boot.OperatingSystem", "Linux", "<key>MacPlatform</key>" },
		{ "apple-macos.plist", "System.Boot.OperatingSystem", "None", "<key>MacPlatform</key>" },
		{ "apple-macos.plist", "Network[1].Mode", "Shared", "<key>BridgeInterface</key>" },
		{ "apple-macos.plist", "Serial[0].Mode", "Ptty", "<key>Terminal</key>" },
		{ "apple-linux.plist", "System.Boot.OperatingSystem", "macOS", "<key>GenericPlatform</key>" },
		{ "apple-linux.plist", "System.Boot.OperatingSystem", "macOS", "<key>LinuxKernelPath</key>" },
		{ "apple-linux.plist", "System.Boot.OperatingSystem", "macOS", "<key>LinuxCommandLine</key>" },
		{ "apple-linux.plist", "System.Boot.OperatingSystem", "macOS", "<key>LinuxInitialRamdiskPath</key>" },
		{ "apple-linux.plist", "System.Boot.OperatingSystem", "macOS", "<key>EfiVariableStoragePath</key>" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(UtmConfig) config = load_sample(cases[i][0]);
		g_autofree char *before = NULL;
		g_autofree char *after = NULL;
		size_t size;
		g_test_message("%s: %s", cases[i][1], cases[i][3]);
		g_assert_cmpint(utm_config_to_plist(config, &before, &size, NULL), ==, 0);
		g_assert_nonnull(strstr(before, cases[i][3]));
		g_assert_cmpint(utm_config_set_string(config, cases[i][1], cases[i][2], NULL), ==, 0);
		g_assert_cmpint(utm_config_to_plist(config, &after, &size, NULL), ==, 0);
		g_assert_null(strstr(after, cases[i][3]));
	}
}

static void test_apple_edits(void)
{
	g_autoptr(UtmConfig) config = load_sample("apple-linux.plist");
	g_autofree char *mac = NULL;
	g_assert_cmpint(utm_config_set_int(config, "System.MemorySize", 1024, NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "Virtualization.Keyboard", "Mac", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "Virtualization.Keyboard", "true", NULL), ==,
	                UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpint(utm_config_set_text(config, "Display", "[{}]", NULL), ==, 0);
	g_assert_cmpint(get_int(config, "Display[0].WidthPixels"), ==, 1920);
	g_assert_cmpint(utm_config_insert(config, "Network", -1, "{}", NULL), ==, 0);
	g_assert_cmpint(utm_config_get_string(config, "Network[0].MacAddress", &mac, NULL), ==, 0);
	g_autofree char *lower = g_ascii_strdown(mac, -1);
	g_assert_cmpstr(mac, ==, lower);
	g_assert_cmpuint(strlen(mac), ==, 17);
	/* Bytes, which nobody can make up. */
	g_assert_cmpint(utm_config_set_text(config, "System.GenericPlatform.machineIdentifier", "{'$data':'YWJj'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "System.GenericPlatform.machineIdentifier", "'abc'", NULL), ==,
	                UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpint(utm_config_remove(config, "System.GenericPlatform.machineIdentifier", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "System.MacPlatform", "{}", NULL), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpint(utm_config_get_int(config, "QEMU.TSO", &(int64_t){ 0 }, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_set_string(config, "Backend", "QEMU", NULL), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
}

/* --- editing --- */

static void test_set_and_get(void)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	size_t count;
	g_assert_cmpint(utm_config_set_int(config, "System.MemorySize", 8192, NULL), ==, 0);
	g_assert_cmpint(get_int(config, "System.MemorySize"), ==, 8192);
	g_assert_cmpint(utm_config_set_bool(config, "QEMU.TSO", false, NULL), ==, 0);
	g_assert_false(get_bool(config, "QEMU.TSO"));
	g_assert_cmpint(utm_config_set_string(config, "Drive[1].Interface", "IDE", NULL), ==, 0);
	assert_string(config, "Drive[1].Interface", "IDE");
	g_assert_cmpint(utm_config_set_string(config, "System.CPUFlagsAdd[0]", "sme", NULL), ==, 0);
	assert_string(config, "System.CPUFlagsAdd[0]", "sme");
	g_assert_cmpint(utm_config_set_text(config, "Information.Name", "true", NULL), ==, 0);
	assert_string(config, "Information.Name", "true");
	g_assert_cmpint(utm_config_set_text(config, "System.CPUFlagsAdd", "['a', \"b\", 'c']", NULL), ==, 0);
	g_assert_cmpint(utm_config_get_count(config, "System.CPUFlagsAdd", &count, NULL), ==, 0);
	g_assert_cmpuint(count, ==, 3);
	assert_string(config, "System.CPUFlagsAdd[2]", "c");
	g_assert_cmpint(utm_config_set_text(config, "Serial[2].TcpPort", "99", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "Serial[2].WaitForConnection", "false", NULL), ==, 0);
	g_assert_false(get_bool(config, "Serial[2].WaitForConnection"));
	g_assert_cmpint(utm_config_set_string(config, "Information.UUID", "aabbccdd-1122-3344-5566-77889900aabb", NULL), ==,
	                0);
	g_assert_cmpstr(utm_config_get_uuid(config), ==, "AABBCCDD-1122-3344-5566-77889900AABB");
	/* Optional numbers come and go. */
	g_assert_cmpint(utm_config_remove(config, "Display[0].VgaRamMib", NULL), ==, 0);
	g_assert_false(has(config, "Display[0].VgaRamMib"));
	g_assert_cmpint(utm_config_set_int(config, "Display[0].VgaRamMib", 16, NULL), ==, 0);
	g_assert_true(has(config, "Display[0].VgaRamMib"));
	/* A section that was absent, from JSON. */
	g_assert_false(has(config, "Serial[3].Terminal"));
	g_assert_false(has(config, "Serial[3].Terminal.Font"));
	g_assert_cmpint(utm_config_set_text(config, "Serial[3].Terminal", "{'Font': 'Courier'}", NULL), ==, 0);
	assert_string(config, "Serial[3].Terminal.Font", "Courier");
	assert_string(config, "Serial[3].Terminal.ForegroundColor", "#ffffff");
	g_assert_cmpint(get_int(config, "Serial[3].Terminal.FontSize"), ==, 12);
}

/* JSON for a section changes what it names, and nothing else. */
static void test_merge(void)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	char *before = NULL, *after = NULL;
	g_assert_cmpint(utm_config_set_text(config, "Serial[3].Terminal", "{'Font': 'Courier'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "Serial[3]", "{'Terminal': {'FontSize': 20}}", NULL), ==, 0);
	assert_string(config, "Serial[3].Terminal.Font", "Courier");
	g_assert_cmpint(get_int(config, "Serial[3].Terminal.FontSize"), ==, 20);
	g_assert_cmpint(utm_config_set_text(config, "Serial[3].Terminal", "{'FontSize': 12}", NULL), ==, 0);
	g_assert_cmpint(utm_config_to_json(config, NULL, &before, NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "System", "{'MemorySize': 2048}", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "Display[0]", "{'VgaRamMib': null}", NULL), ==, 0);
	g_assert_cmpint(get_int(config, "System.MemorySize"), ==, 2048);
	g_assert_false(has(config, "Display[0].VgaRamMib"));
	for (int i = 0; i < 3; i++) {
		static const char *const wrong[] = { "{'MemorySize': 4096, 'Bogus': 1}", "{'MemorySize': 4096, 'CPUCount': -1}",
			                             "{'MemorySize': 4096" };
		g_assert_cmpint(utm_config_set_text(config, "System", wrong[i], NULL), <, 0);
		g_assert_cmpint(get_int(config, "System.MemorySize"), ==, 2048);
	}
	g_autoptr(UtmConfig) fresh = NULL;
	g_assert_cmpint(utm_config_load_json(before, NULL, &fresh, NULL), ==, 0);
	g_assert_cmpint(utm_config_set_int(config, "System.MemorySize", get_int(fresh, "System.MemorySize"), NULL), ==, 0);
	if (has(fresh, "Display[0].VgaRamMib"))
		g_assert_cmpint(utm_config_set_int(config, "Display[0].VgaRamMib", get_int(fresh, "Display[0].VgaRamMib"), NULL), ==, 0);
	g_assert_cmpint(utm_config_to_json(config, NULL, &after, NULL), ==, 0);
	g_assert_cmpstr(after, ==, before);
	utm_free(before);
	utm_free(after);
}

static void test_edits_that_are_refused(void)
{
	static const struct {
		const char *path;
		const char *text;
		int code;
		const char *key_path;
	} cases[] = {
		{ "System.MemorySize", "0", UTM_ERROR_CONFIG_INVALID_VALUE, "System.MemorySize" },
		{ "System.MemorySize", "much", UTM_ERROR_CONFIG_MALFORMED, "System.MemorySize" },
		{ "System.MemorySize", "", UTM_ERROR_CONFIG_MALFORMED, "System.MemorySize" },
		{ "System.MemorySize", "1 2", UTM_ERROR_CONFIG_MALFORMED, "System.MemorySize" },
		{ "System.MemorySize", "18446744073709551616", UTM_ERROR_CONFIG_MALFORMED, "System.MemorySize" },
		{ "System.MemorySize", "null", UTM_ERROR_CONFIG_MALFORMED, "System.MemorySize" },
		{ "QEMU.TSO", "1", UTM_ERROR_CONFIG_MALFORMED, "QEMU.TSO" },
		{ "QEMU.TSO", "yes", UTM_ERROR_CONFIG_MALFORMED, "QEMU.TSO" },
		{ "Drive[0].Interface", "Virtio", UTM_ERROR_CONFIG_INVALID_VALUE, "Drive[0].Interface" },
		{ "Information.UUID", "no", UTM_ERROR_CONFIG_INVALID_VALUE, "Information.UUID" },
		{ "Information.Name", "\xff", UTM_ERROR_CONFIG_INVALID_VALUE, "Information.Name" },
		{ "Backend", "Apple", UTM_ERROR_CONFIG_INVALID_VALUE, "Backend" },
		{ "ConfigurationVersion", "4", UTM_ERROR_CONFIG_INVALID_VALUE, "ConfigurationVersion" },
		{ "System", "{'MemorySize': 1, 'MemorySize': 2}", UTM_ERROR_CONFIG_MALFORMED, "System.MemorySize" },
		{ "System", "{'Memory': 1}", UTM_ERROR_KEY_PATH, "System.Memory" },
		{ "System", "{'MemorySize': -1}", UTM_ERROR_CONFIG_INVALID_VALUE, "System.MemorySize" },
		{ "System", "4", UTM_ERROR_CONFIG_MALFORMED, "System" },
		{ "Drive", "[{'Interface': 'USB'}, {'Interface': 'x'}]", UTM_ERROR_CONFIG_INVALID_VALUE, "Drive[1].Interface" },
		{ "Drive", "{}", UTM_ERROR_CONFIG_MALFORMED, "Drive" },
		{ "Drive[0]", "[]", UTM_ERROR_CONFIG_MALFORMED, "Drive[0]" },
		{ "Drive[0]", "{'ImageName': 'a\\u0000b'}", UTM_ERROR_CONFIG_MALFORMED, "Drive[0].ImageName" },
		{ "Drive[9]", "{}", UTM_ERROR_NOT_FOUND, "Drive[9]" },
		{ "Drive[9].Interface", "IDE", UTM_ERROR_NOT_FOUND, "Drive[9].Interface" },
		{ "Serial[3].Terminal.Font", "x", UTM_ERROR_NOT_FOUND, "Serial[3].Terminal.Font" },
	};
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	g_autoptr(UtmConfig) original = utm_config_copy(config);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(UtmError) error = NULL;
		g_autofree char *shown = g_strescape(cases[i].text, NULL);
		g_test_message("%s = %s", cases[i].path, shown);
		g_assert_cmpint(utm_config_set_text(config, cases[i].path, cases[i].text, &error), ==, cases[i].code);
		assert_error(error, cases[i].code, cases[i].key_path, "");
		g_assert_true(utm_config_equal(config, original));
	}
}

static void assert_says(UtmError *error_taken, const char *message, const char *remedy)
{
	g_autoptr(UtmError) error = error_taken;
	g_assert_cmpstr(utm_error_get_message(error), ==, message);
	if (!strstr(utm_error_get_remedy(error), remedy))
		g_error("remedy \"%s\" has no \"%s\"", utm_error_get_remedy(error), remedy);
}

/* People write what they mean; the answer is what the key takes, not where a reader of JSON stopped. */
static void test_texts_are_told_the_form(void)
{
	static const struct {
		const char *path, *text, *message;
	} cases[] = {
		{ "QEMU.UEFIBoot", "yes", "must be true or false, not \"yes\"" },
		{ "QEMU.UEFIBoot", "", "must be true or false, not \"\"" },
		{ "QEMU.UEFIBoot", "1", "must be true or false, not \"1\"" },
		{ "System.MemorySize", "4 GB", "must be an integer from 1 to 16777216 (MiB), not \"4 GB\"" },
		{ "System.MemorySize", "1.5", "must be an integer from 1 to 16777216 (MiB), not \"1.5\"" },
		{ "System.MemorySize", "[1]", "must be an integer from 1 to 16777216 (MiB), not \"[1]\"" },
		{ "System.CPUFlagsAdd", "sse", "must be a JSON array in brackets, not \"sse\"" },
		{ "System", "x", "must be a JSON object in braces, not \"x\"" },
		{ "Drive[0]", "[]", "must be a JSON object in braces, not \"[]\"" },
	};
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		UtmError *error = NULL;
		g_assert_cmpint(utm_config_set_text(config, cases[i].path, cases[i].text, &error), ==,
		                UTM_ERROR_CONFIG_MALFORMED);
		g_assert_cmpstr(utm_error_get_key_path(error), ==, cases[i].path);
		assert_says(error, cases[i].message, "in that form");
		g_assert_cmpint(utm_config_set_text(config, cases[i].path, cases[i].text, NULL), ==, UTM_ERROR_CONFIG_MALFORMED);
	}
	UtmError *error = NULL;
	g_autofree char *large = g_strnfill(1000, 'y');
	g_assert_cmpint(utm_config_set_text(config, "QEMU.TSO", large, &error), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpint(strlen(utm_error_get_message(error)), <, 200);
	g_clear_pointer(&error, utm_error_unref);
	/* JSON that is damaged inside is another matter. */
	g_assert_cmpint(utm_config_set_text(config, "Drive", "[{]", &error), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_nonnull(strstr(utm_error_get_message(error), "JSON, byte"));
	g_clear_pointer(&error, utm_error_unref);
}

/* The path is right then, so the remedy is not about its spelling. */
static void test_wrong_kinds_are_told_the_kind(void)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	UtmError *error = NULL;
	int64_t number;
	bool flag;
	char *text;
	size_t count;
	g_assert_cmpint(utm_config_get_int(config, "System.CPU", &number, &error), ==, UTM_ERROR_KEY_PATH);
	assert_says(g_steal_pointer(&error), "is not an integer", "The key holds a string");
	g_assert_cmpint(utm_config_get_bool(config, "Drive", &flag, &error), ==, UTM_ERROR_KEY_PATH);
	assert_says(g_steal_pointer(&error), "is not a boolean", "The key holds an array");
	g_assert_cmpint(utm_config_get_string(config, "System", &text, &error), ==, UTM_ERROR_KEY_PATH);
	assert_says(g_steal_pointer(&error), "is not a string", "The key holds a section");
	g_assert_cmpint(utm_config_get_count(config, "Drive[0]", &count, &error), ==, UTM_ERROR_KEY_PATH);
	assert_says(g_steal_pointer(&error), "is not an array", "The key holds a section");
	g_assert_cmpint(utm_config_set_int(config, "QEMU.TSO", 1, &error), ==, UTM_ERROR_KEY_PATH);
	assert_says(g_steal_pointer(&error), "is not an integer", "The key holds a boolean");
	g_assert_cmpint(utm_config_insert(config, "System", 0, "{}", &error), ==, UTM_ERROR_KEY_PATH);
	assert_says(g_steal_pointer(&error), "is not an array", "The key holds a section");
	g_assert_cmpint(utm_config_insert(config, "Drive", 0, "{'x': 1}", &error), ==, UTM_ERROR_KEY_PATH);
	g_assert_null(strstr(utm_error_get_remedy(error), "The key holds"));
	g_clear_pointer(&error, utm_error_unref);
	g_assert_cmpint(utm_config_get_int(config, "System.Nope", &number, &error), ==, UTM_ERROR_KEY_PATH);
	g_assert_null(strstr(utm_error_get_remedy(error), "The key holds"));
	g_clear_pointer(&error, utm_error_unref);
}

static void test_paths_that_are_refused(void)
{
	static const char *const wrong[] = {
		"",
		".",
		"System.",
		".System",
		"System..CPU",
		"system.CPU",
		"System.cpu",
		"System.CPU.X",
		"Drive.Interface",
		"Drive[",
		"Drive[]",
		"Drive[x]",
		"Drive[-1]",
		"Drive[0",
		"Drive[0]x",
		"Drive[0]Interface",
		"Drive[0].",
		"Drive[0][0]",
		"Drive[99999999999999999999]",
		"System[0]",
		"System.CPU[0]",
		"AAA",
		"Drive[0].Discard",
		"System.CPUFlagsAdd[0].x",
		"Drive [0]",
		"Nonsense",
		"Information.Name ",
	};
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		bool present;
		g_autoptr(UtmError) error = NULL;
		g_test_message("%s", wrong[i]);
		g_assert_cmpint(utm_config_has(config, wrong[i], &present, &error), ==, UTM_ERROR_KEY_PATH);
		if (*wrong[i])
			g_assert_cmpstr(utm_error_get_key_path(error), ==, wrong[i]);
	}
}

static void test_wrong_accessors(void)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	int64_t integer;
	bool boolean;
	size_t count;
	char *text;
	g_assert_cmpint(utm_config_get_int(config, "QEMU.TSO", &integer, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_get_bool(config, "System.MemorySize", &boolean, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_get_string(config, "Drive", &text, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_get_string(config, "Drive[0]", &text, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_get_count(config, "Drive[0]", &count, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_get_string(config, "Drive[1].ImageName", &text, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_get_int(config, "Serial[0].TcpPort", &integer, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_get_int(config, "Serial[3].Terminal.FontSize", &integer, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_set_int(config, "QEMU.TSO", 1, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_set_bool(config, "System", true, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_get_int(NULL, "QEMU.TSO", &integer, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_get_int(config, NULL, &integer, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_get_int(config, "System.CPUCount", NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_set_text(config, "System.CPUCount", NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_insert(config, "Drive", 0, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_new_from_data(NULL, 5, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(utm_config_copy(NULL));
	utm_config_unref(NULL);
}

static void test_insert_and_remove(void)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	g_autoptr(UtmConfig) original = utm_config_copy(config);
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, "{ 'ImageType': 'CD', 'Interface': 'USB' }", NULL), ==, 0);
	g_assert_cmpuint(qemu->drive_count, ==, 4);
	g_assert_cmpint(qemu->drive[3]->interface, ==, UTM_CONFIG_DRIVE_INTERFACE_USB);
	g_assert_true(qemu->drive[3]->read_only);
	g_assert_cmpint(qemu->drive[3]->interface_version, ==, 1);
	g_assert_true(g_uuid_string_is_valid(qemu->drive[3]->identifier));
	g_assert_cmpint(utm_config_insert(config, "Network", 0, "{}", NULL), ==, 0);
	const char *mac = qemu->network[0]->mac_address;
	g_assert_cmpuint(strlen(mac), ==, 17);
	g_assert_nonnull(strchr("26AE", mac[1]));
	g_assert_cmpint(utm_config_insert(config, "Serial", 1, "{'Mode': 'Ptty'}", NULL), ==, 0);
	g_assert_cmpint(qemu->serial[1]->mode, ==, UTM_CONFIG_SERIAL_MODE_PTTY);
	g_assert_cmpint(utm_config_insert(config, "QEMU.AdditionalArguments", 0, "'-s'", NULL), ==, 0);
	g_assert_cmpstr(qemu->qemu->additional_arguments[0], ==, "-s");

	g_assert_cmpint(utm_config_remove(config, "QEMU.AdditionalArguments[0]", NULL), ==, 0);
	g_assert_cmpint(utm_config_remove(config, "Serial[1]", NULL), ==, 0);
	g_assert_cmpint(utm_config_remove(config, "Network[0]", NULL), ==, 0);
	g_assert_cmpint(utm_config_remove(config, "Drive[3]", NULL), ==, 0);
	g_assert_true(utm_config_equal(config, original));

	g_assert_cmpint(utm_config_insert(config, "Drive", 4, "{}", NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_insert(config, "Drive", -2, "{}", NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_insert(config, "System", 0, "{}", NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_insert(config, "Drive", 0, "{'Interfase': 'USB'}", NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_insert(config, "Drive", 0, "{'ImageType': 'CD'", NULL), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpint(utm_config_remove(config, "Drive[3]", NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_remove(config, "System.CPU", NULL), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpint(utm_config_remove(config, "System", NULL), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_true(utm_config_equal(config, original));
}

static void test_values_that_no_file_can_say(void)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	g_autoptr(UtmError) error = NULL;
	char *data;
	size_t size;
	g_assert_cmpint(utm_config_set_string(config, "Information.Notes", "$null", NULL), ==, 0);
	g_assert_cmpint(utm_config_to_plist(config, &data, &size, &error), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	assert_error(error, UTM_ERROR_CONFIG_INVALID_VALUE, "Information.Notes", "$null");
}

/* JSON may bring one, under a key that nobody knows; no property list is read with it. */
static void test_integers_that_no_file_can_say(void)
{
	g_autoptr(UtmConfig) start = load_sample("full.plist");
	g_autoptr(UtmConfig) config = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autofree char *json = NULL;
	char *data;
	size_t size;
	g_assert_cmpint(utm_config_to_json(start, NULL, &json, NULL), ==, 0);
	g_auto(GStrv) halves = g_strsplit(json, "\"System\": {", 2);
	g_autofree char *larger = g_strjoinv("\"System\": {\"Later\":18446744073709551615,", halves);
	g_assert_cmpint(utm_config_load_json(larger, NULL, &config, NULL), ==, 0);
	g_assert_cmpint(utm_config_to_plist(config, &data, &size, &error), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	assert_error(error, UTM_ERROR_CONFIG_INVALID_VALUE, "System.Later", "2^63-1");
}

static void test_json(void)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	g_autofree char *input = NULL;
	g_autofree char *all = NULL;
	g_autofree char *flags = NULL;
	g_assert_cmpint(utm_config_to_json(config, "Input", &input, NULL), ==, 0);
	g_assert_cmpstr(input, ==,
	                "{\n  \"MaximumUsbShare\": 3,\n  \"Tablet\": true,\n  \"UsbBusSupport\": \"3.0\",\n"
	                "  \"UsbSharing\": true\n}");
	g_assert_cmpint(utm_config_to_json(config, "System.CPUFlagsAdd", &flags, NULL), ==, 0);
	g_assert_cmpstr(flags, ==, "[\n  \"sve\"\n]");
	g_assert_cmpint(utm_config_to_json(config, NULL, &all, NULL), ==, 0);
	g_assert_nonnull(strstr(all, "\"Thumbnail\": {\n      \"$data\": \"AAECAw"));
	g_assert_cmpint(utm_config_to_json(config, "Nonsense", &all, NULL), ==, UTM_ERROR_KEY_PATH);
}

/* --- hostile files --- */

static void assert_hostile(const char *data, gsize size, int code)
{
	g_autoptr(UtmError) error = NULL;
	UtmConfig *config = NULL;
	g_autofree char *copy = g_memdup2(data, size);
	g_assert_cmpint(utm_config_new_from_data(copy, size, &config, &error), ==, code);
	g_assert_nonnull(error);
}

static char *repeat(const char *head, const char *part, gsize count, const char *tail)
{
	GString *text = g_string_new(head);
	for (gsize i = 0; i < count; i++)
		g_string_append(text, part);
	g_string_append(text, tail);
	return g_string_free(text, FALSE);
}

static void test_hostile_xml(void)
{
	g_autofree char *deep = repeat("<plist version=\"1.0\">", "<array>", 100000, "");
	g_autofree char *wide = repeat("<plist version=\"1.0\"><array>", "<true/>", 600000, "</array></plist>");
	g_autofree char *bomb = repeat("<?xml version=\"1.0\"?><!DOCTYPE plist [<!ENTITY a \"aaaa\"><!ENTITY b \"", "&a;",
	                               1000, "\">]><plist version=\"1.0\"><string>&b;</string></plist>");
	g_autofree char *keys = repeat("<plist version=\"1.0\"><dict>", "<key>a</key><true/>", 10001, "</dict></plist>");
	g_autofree char *huge = g_malloc0((16 << 20) + 1);
	assert_hostile("", 0, UTM_ERROR_CONFIG_MALFORMED);
	assert_hostile("\0", 1, UTM_ERROR_CONFIG_MALFORMED);
	assert_hostile("{\"Backend\": \"QEMU\"}", 19, UTM_ERROR_CONFIG_MALFORMED);
	assert_hostile("{ Backend = QEMU; }", 19, UTM_ERROR_CONFIG_MALFORMED);
	assert_hostile(deep, strlen(deep), UTM_ERROR_LIMIT);
	assert_hostile(wide, strlen(wide), UTM_ERROR_LIMIT);
	assert_hostile(keys, strlen(keys), UTM_ERROR_LIMIT);
	assert_hostile(bomb, strlen(bomb), UTM_ERROR_CONFIG_MALFORMED);
	assert_hostile(huge, (16 << 20) + 1, UTM_ERROR_LIMIT);
}

static void test_hostile_values(void)
{
	static const char *const wrong[] = {
		"<array/>",
		"<string>x</string>",
		"<integer>1</integer>",
		"",
		"<dict>",
		"<dict><key>a</key></dict>",
		"<dict><true/></dict>",
		"<dict><key>a</key><integer>9223372036854775808</integer></dict>",
		"<dict><key>a</key><integer>-9223372036854775809</integer></dict>",
		"<dict><key>a</key><integer>12x</integer></dict>",
		"<dict><key>a</key><integer></integer></dict>",
		"<dict><key>a</key><string>\xff\xfe</string></dict>",
		"<dict><key>\xc3</key><true/></dict>",
		"<dict><key>a</key><string>&nosuch;</string></dict>",
		"<dict><key>a</key><nosuch/></dict>",
		"<dict><key>a</key><string>&#0;x</string></dict>",
		"<dict><key>&#0;x</key><true/></dict>",
		"<dict><key/><true/></dict>",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		/* Without these two anything that parses could be a machine of UTM 1. */
		const char *head = g_str_has_prefix(wrong[i], "<dict>") ? "<dict><key>Backend</key><string>QEMU</string><key>"
		                                                          "ConfigurationVersion</key><integer>4</integer>" : "";
		g_autofree char *text =
			g_strdup_printf("<plist version=\"1.0\">%s%s</plist>", head, wrong[i] + (*head ? strlen("<dict>") : 0));
		g_autoptr(UtmError) error = NULL;
		int result = load_text(text, &error);
		if (result != UTM_ERROR_CONFIG_MALFORMED)
			g_error("%s: %d", wrong[i], result);
		g_assert_nonnull(error);
	}
}

static void append_bytes(GByteArray *list, const void *bytes, guint count)
{
	g_byte_array_append(list, bytes, count);
}

/* --- the same values in each codec --- */

/* A configuration whose System.MemorySize is a value of each codec's own spelling. */
static int load_size_xml(const char *element, UtmError **error)
{
	gsize size;
	g_autofree char *data = read_sample("full.plist", &size);
	g_auto(GStrv) halves = g_strsplit(data, "<integer>4096</integer>", 2);
	g_assert_cmpuint(g_strv_length(halves), ==, 2);
	g_autofree char *text = g_strdup_printf("%s%s%s", halves[0], element, halves[1]);
	return load_text(text, error);
}

static int load_size_json(const char *number, UtmError **error)
{
	g_autoptr(UtmConfig) config = load_sample("full.plist");
	g_autoptr(UtmConfig) changed = NULL;
	g_autofree char *json = NULL;
	g_assert_cmpint(utm_config_to_json(config, NULL, &json, NULL), ==, 0);
	g_auto(GStrv) halves = g_strsplit(json, "\"MemorySize\": 4096", 2);
	g_assert_cmpuint(g_strv_length(halves), ==, 2);
	g_autofree char *text = g_strdup_printf("%s\"MemorySize\": %s%s", halves[0], number, halves[1]);
	return utm_config_load_json(text, NULL, &changed, error);
}

static int load_size_binary(double number, UtmError **error)
{
	g_autofree char *key = NULL;
	g_autoptr(UtmConfig) config = NULL;
	plist_t root = parse("full.plist");
	char *binary = NULL;
	uint32_t size = 0;
	plist_dict_set_item(find_parent(root, "System.MemorySize", &key), "MemorySize", plist_new_real(number));
	plist_to_bin(root, &binary, &size);
	plist_free(root);
	int result = utm_config_new_from_data(binary, size, &config, error);
	free(binary);
	return result;
}

static void test_hostile_numbers(void)
{
	static const struct {
		const char *xml, *json;
		bool good;
	} cases[] = {
		{ "<integer>9223372036854775807</integer>", "9223372036854775807", true },
		{ "<integer>9223372036854775808</integer>", "9223372036854775808", false },
		{ "<integer>18446744073709551615</integer>", "18446744073709551615", false },
		{ "<integer>-9223372036854775808</integer>", "-9223372036854775808", true },
		{ "<integer>-9223372036854775809</integer>", "-9223372036854775809", false },
		{ "<integer>0x7fffffffffffffff</integer>", "2048", true },
		{ "<integer>0x8000000000000000</integer>", "0x800", false },
		{ "<real>2048.0</real>", "2048.0", true },
		{ "<real>2048.5</real>", "2048.5", false },
		{ "<real>9223372036854775808.0</real>", "9223372036854775808.0", false },
		{ "<real>nan</real>", "NaN", false },
		{ "<real>-infinity</real>", "-Infinity", false },
		{ "<real>1e400</real>", "1e400", false },
		{ "<string>2048</string>", "\"2048\"", false },
		{ "<true/>", "true", false },
		{ "<integer></integer>", "", false },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_test_message("%s", cases[i].xml);
		g_assert_cmpint(load_size_xml(cases[i].xml, NULL), ==, cases[i].good ? 0 : UTM_ERROR_CONFIG_MALFORMED);
		g_assert_cmpint(load_size_json(cases[i].json, NULL), ==, cases[i].good ? 0 : UTM_ERROR_CONFIG_MALFORMED);
	}
	static const double wrong[] = { NAN, INFINITY, -INFINITY, 9223372036854775808.0, -1e300, 0.5 };
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(load_size_binary(wrong[i], &error), ==, UTM_ERROR_CONFIG_MALFORMED);
		g_assert_cmpstr(utm_error_get_key_path(error), ==, "System.MemorySize");
	}
	g_assert_cmpint(load_size_binary(2048, NULL), ==, 0);
}

/* NaN in a key that nobody knows is a value like any other, whatever its bits: it goes out and comes back. */
static void test_nan_is_kept(void)
{
	static const guint64 bits[] = { 0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001, 0xfffffffffffffffe };
	for (gsize i = 0; i < G_N_ELEMENTS(bits); i++) {
		double number;
		char *binary = NULL;
		uint32_t size = 0;
		g_autofree char *xml = NULL;
		g_autofree char *json = NULL;
		g_autoptr(UtmConfig) config = NULL;
		g_autoptr(UtmConfig) again = NULL;
		g_autoptr(UtmConfig) third = NULL;
		size_t xml_size;
		memcpy(&number, &bits[i], sizeof number);
		plist_t root = parse("full.plist");
		plist_dict_set_item(root, "Future", plist_new_real(number));
		plist_to_bin(root, &binary, &size);
		plist_free(root);
		g_assert_cmpint(utm_config_new_from_data(binary, size, &config, NULL), ==, 0);
		g_assert_cmpint(utm_config_to_plist(config, &xml, &xml_size, NULL), ==, 0);
		g_assert_cmpint(utm_config_new_from_data(xml, xml_size, &again, NULL), ==, 0);
		g_assert_true(utm_config_equal(config, again));
		g_assert_cmpint(utm_config_to_json(config, NULL, &json, NULL), ==, 0);
		g_assert_cmpint(utm_config_load_json(json, NULL, &third, NULL), ==, 0);
		g_assert_true(utm_config_equal(config, third));
		free(binary);
	}
}

#define HEAD_JSON "{\"Backend\":\"QEMU\",\"ConfigurationVersion\":4,\"Future\":"

static void test_hostile_json(void)
{
	g_autofree char *deep = repeat(HEAD_JSON, "[", 1000000, "");
	g_autofree char *wide = repeat(HEAD_JSON "[", "0,", 600000, "0]}");
	g_autofree char *drives = repeat("{\"Backend\":\"QEMU\",\"ConfigurationVersion\":4,\"Drive\":[", "{},", 1000000, "{}]}");
	g_autofree char *huge = repeat(HEAD_JSON "\"", "aaaaaaaaaaaaaaaa", 1 << 20, "\"}");
	g_autofree char *number = repeat(HEAD_JSON, "1", 600, "}");
	const struct {
		const char *json;
		int code;
	} cases[] = {
		{ deep, UTM_ERROR_CONFIG_MALFORMED },
		{ wide, UTM_ERROR_CONFIG_MALFORMED },
		{ drives, UTM_ERROR_CONFIG_MALFORMED },
		{ huge, UTM_ERROR_CONFIG_MALFORMED },
		{ number, UTM_ERROR_CONFIG_MALFORMED },
		{ HEAD_JSON "\"\xc3\"}", UTM_ERROR_CONFIG_MALFORMED },
		{ HEAD_JSON "\"\xe2\x82\"}", UTM_ERROR_CONFIG_MALFORMED },
		{ HEAD_JSON "\"\xed\xa0\x80\"}", UTM_ERROR_CONFIG_MALFORMED },
		{ HEAD_JSON "\"\\ud800\"}", UTM_ERROR_CONFIG_MALFORMED },
		{ HEAD_JSON "\"\\u0000\"}", UTM_ERROR_CONFIG_MALFORMED },
		{ HEAD_JSON "0", UTM_ERROR_CONFIG_MALFORMED },
		{ HEAD_JSON "0}{}", UTM_ERROR_CONFIG_MALFORMED },
		{ HEAD_JSON "NaN}", UTM_ERROR_CONFIG_MALFORMED },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		UtmConfig *config = NULL;
		g_test_message("JSON %zu", i);
		g_assert_cmpint(utm_config_load_json(cases[i].json, NULL, &config, NULL), ==, cases[i].code);
		g_assert_null(config);
	}
}

/* A million drives: as text, and in a binary list as references to one of them. */
static void test_a_million_drives(void)
{
	g_autofree char *xml = repeat("<plist version=\"1.0\"><dict><key>Drive</key><array>", "<dict/>", 1000000,
	                              "</array></dict></plist>");
	g_autoptr(GByteArray) binary = g_byte_array_new();
	static const guint8 start[] = { 'b', 'p', 'l', 'i', 's', 't', '0', '0', 0xd1, 1, 2, 0x55, 'D', 'r', 'i', 'v', 'e', 0xd0,
		                            0xaf, 0x12, 0x00, 0x0f, 0x42, 0x40 };
	static const guint8 offsets[] = { 8, 11, 18, 17 };
	guint8 trailer[32] = { [6] = 1, [7] = 1, [15] = 4 };
	append_bytes(binary, start, sizeof start);
	g_byte_array_set_size(binary, sizeof start + 1000000);
	memset(binary->data + sizeof start, 3, 1000000);
	for (int i = 0; i < 4; i++)
		trailer[28 + i] = (guint8)(binary->len >> (24 - 8 * i));
	append_bytes(binary, offsets, sizeof offsets);
	append_bytes(binary, trailer, sizeof trailer);
	assert_hostile(xml, strlen(xml), UTM_ERROR_LIMIT);
	assert_hostile((const char *)binary->data, binary->len, UTM_ERROR_LIMIT);
}

static void test_truncated(void)
{
	gsize size;
	g_autofree char *data = read_sample("full.plist", &size);
	plist_t root = parse("full.plist");
	char *binary = NULL;
	uint32_t binary_size = 0;
	plist_to_bin(root, &binary, &binary_size);
	/* Up to the end of the root's tag there is no whole list. */
	gsize whole = (gsize)(g_strrstr(data, "</dict>") - data);
	for (gsize i = 0; i < whole; i += 7) {
		g_autoptr(UtmConfig) config = NULL;
		g_autofree char *copy = g_memdup2(data, i);
		g_assert_cmpint(utm_config_new_from_data(copy, i, &config, NULL), <, 0);
	}
	for (gsize i = 0; i < binary_size; i += 3) {
		g_autoptr(UtmConfig) config = NULL;
		g_autofree char *copy = g_memdup2(binary, i);
		g_assert_cmpint(utm_config_new_from_data(copy, i, &config, NULL), <, 0);
	}
	free(binary);
	plist_free(root);
}

/* Bytes flipped at random: any answer but a crash. */
static void test_damaged(void)
{
	plist_t root = parse("full.plist");
	char *binary = NULL;
	uint32_t size = 0;
	gsize xml_size;
	g_autofree char *xml = read_sample("full.plist", &xml_size);
	plist_to_bin(root, &binary, &size);
	for (int round = 0; round < 500; round++) {
		gsize length = round % 2 ? size : xml_size;
		g_autofree char *copy = g_memdup2(round % 2 ? binary : xml, length);
		g_autoptr(UtmConfig) config = NULL;
		for (int i = g_test_rand_int_range(1, 8); i > 0; i--)
			copy[g_test_rand_int_range(0, (gint32)length)] = (char)g_test_rand_int_range(0, 256);
		int result = utm_config_new_from_data(copy, length, &config, NULL);
		g_assert_true((result == 0) == (config != NULL));
	}
	free(binary);
	plist_free(root);
}

/* Objects 0 to count-2 are arrays of two references to the next one; the last is `leaf`. References have one byte. */
static GByteArray *binary_tower(guint count, const guint8 *leaf, guint leaf_size, guint8 last_ref)
{
	GByteArray *list = g_byte_array_new();
	append_bytes(list, "bplist00", 8);
	guint8 offsets[256];
	for (guint i = 0; i < count; i++) {
		guint8 array[] = { 0xa2, (guint8)(i + 1), (guint8)(i + 2 == count ? last_ref : i + 1) };
		offsets[i] = (guint8)list->len;
		if (i + 1 == count)
			append_bytes(list, leaf, leaf_size);
		else
			append_bytes(list, array, sizeof array);
	}
	guint8 trailer[32] = { [6] = 1, [7] = 1, [15] = (guint8)count, [31] = (guint8)list->len };
	append_bytes(list, offsets, count);
	append_bytes(list, trailer, sizeof trailer);
	return list;
}

static void test_hostile_binary(void)
{
	static const guint8 leaf[] = { 0x09 };
	static const guint8 big[] = { 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const guint8 null[] = { 0x00 };
	static const guint8 odd_key[] = { 0xd1, 0, 0 };
	static const guint8 nul[] = { 0x52, 'a', 0 };
	static const guint8 wide_nul[] = { 0x62, 0, 'a', 0, 0 };
	static const guint8 longer[] = { 0x5f, 0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct {
		guint count;
		const guint8 *leaf;
		guint leaf_size;
		guint8 last_ref;
		int code;
	} cases[] = {
		{ 5, leaf, sizeof leaf, 4, UTM_ERROR_CONFIG_MALFORMED }, /* fine, but no dictionary */
		{ 30, leaf, sizeof leaf, 29, UTM_ERROR_LIMIT },          /* 2^29 values */
		{ 70, leaf, sizeof leaf, 69, UTM_ERROR_LIMIT },
		{ 5, leaf, sizeof leaf, 0, UTM_ERROR_CONFIG_MALFORMED }, /* contains itself */
		{ 5, leaf, sizeof leaf, 9, UTM_ERROR_CONFIG_MALFORMED }, /* refers to nothing */
		{ 2, big, sizeof big, 1, UTM_ERROR_CONFIG_MALFORMED },
		{ 2, null, sizeof null, 1, UTM_ERROR_CONFIG_MALFORMED },
		{ 2, longer, sizeof longer, 1, UTM_ERROR_CONFIG_MALFORMED },
		{ 1, odd_key, sizeof odd_key, 0, UTM_ERROR_CONFIG_MALFORMED },
		{ 2, nul, sizeof nul, 1, UTM_ERROR_CONFIG_MALFORMED }, /* in a key, libplist 2.2 would abort */
		{ 2, wide_nul, sizeof wide_nul, 1, UTM_ERROR_CONFIG_MALFORMED },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) list = binary_tower(cases[i].count, cases[i].leaf, cases[i].leaf_size, cases[i].last_ref);
		g_test_message("tower %zu", i);
		assert_hostile((const char *)list->data, list->len, cases[i].code);
	}
}

/* A list { "a": STRING }, which would be an empty machine of UTM 1; or { STRING: "a" }. */
static GByteArray *binary_pair(const guint8 *string, guint size, bool as_key)
{
	static const guint8 start[] = { 'b', 'p', 'l', 'i', 's', 't', '0', '0', 0x51, 'a' };
	const guint8 dict[] = { 0xd1, as_key ? 1 : 0, as_key ? 0 : 1 };
	const guint8 offsets[] = { 8, 10, (guint8)(10 + size) };
	guint8 trailer[32] = { [6] = 1, [7] = 1, [15] = 3, [23] = 2 };
	GByteArray *list = g_byte_array_new();
	append_bytes(list, start, sizeof start);
	append_bytes(list, string, size);
	append_bytes(list, dict, sizeof dict);
	trailer[31] = (guint8)list->len;
	append_bytes(list, offsets, sizeof offsets);
	append_bytes(list, trailer, sizeof trailer);
	return list;
}

static void test_hostile_binary_strings(void)
{
	static const struct {
		guint8 bytes[8];
		guint size;
		int code;
	} cases[] = {
		{ { 0x52, 'a', 'b' }, 3, 0 },
		{ { 0x52, 0xc3, 0xbc }, 3, 0 },
		{ { 0x62, 0x20, 0xac, 0, 'b' }, 5, 0 },
		{ { 0x62, 0xd8, 0x3d, 0xde, 0x00 }, 5, 0 },
		{ { 0x52, 'a', 0xc3 }, 3, UTM_ERROR_CONFIG_MALFORMED },
		{ { 0x52, 0xc3, 'a' }, 3, UTM_ERROR_CONFIG_MALFORMED },
		{ { 0x51, 0xff }, 2, UTM_ERROR_CONFIG_MALFORMED },
		{ { 0x62, 0xd8, 0x00, 0, 'a' }, 5, UTM_ERROR_CONFIG_MALFORMED },
		{ { 0x61, 0xdc, 0x00 }, 3, UTM_ERROR_CONFIG_MALFORMED },
		{ { 0x53, 0xed, 0xa0, 0x80 }, 4, UTM_ERROR_CONFIG_MALFORMED },
		{ { 0x52, 'a', 0 }, 3, UTM_ERROR_CONFIG_MALFORMED },
		{ { 0x62, 0, 'a', 0, 0 }, 5, UTM_ERROR_CONFIG_MALFORMED },
		{ { 0x6f, 0x10, 0xff, 0, 'a' }, 5, UTM_ERROR_CONFIG_MALFORMED },
	};
	for (gsize i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) list = binary_pair(cases[i / 2].bytes, cases[i / 2].size, i % 2);
		g_autoptr(UtmConfig) config = NULL;
		g_test_message("string %zu, %s", i / 2, i % 2 ? "a key" : "a value");
		g_assert_cmpint(utm_config_new_from_data(list->data, list->len, &config, NULL), ==, cases[i / 2].code);
	}
}

static void test_many_drives(void)
{
	GString *json = g_string_new("[");
	for (int i = 0; i < 10000; i++)
		g_string_append_printf(json, "%s{'ImageName': 'disk%d.qcow2', 'ImageType': 'Disk'}", i ? "," : "", i);
	g_string_append_c(json, ']');
	g_autoptr(UtmConfig) config = load_sample("early.plist");
	g_autoptr(UtmConfig) again = NULL;
	g_autofree char *data = NULL;
	size_t size;
	g_assert_cmpint(utm_config_set_text(config, "Drive", json->str, NULL), ==, 0);
	g_assert_cmpint(utm_config_to_plist(config, &data, &size, NULL), ==, 0);
	g_assert_cmpint(utm_config_new_from_data(data, size, &again, NULL), ==, 0);
	g_assert_true(utm_config_equal(config, again));
	g_string_free(json, TRUE);
}

static void test_files(void)
{
	g_autofree char *directory = g_dir_make_tmp("utm-config-XXXXXX", NULL);
	g_autofree char *fifo = g_build_filename(directory, "fifo", NULL);
	g_autofree char *absent = g_build_filename(directory, "absent", NULL);
	g_autofree char *bad = g_build_filename(directory, "bad", NULL);
	g_autoptr(UtmError) error = NULL;
	UtmConfig *config = NULL;
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	g_assert_cmpint(utm_config_new_from_file(fifo, &config, NULL), ==, UTM_ERROR_IO);
	g_assert_cmpint(utm_config_new_from_file(directory, &config, NULL), ==, UTM_ERROR_IO);
	g_assert_cmpint(utm_config_new_from_file("/dev/zero", &config, NULL), ==, UTM_ERROR_IO);
	g_assert_cmpint(utm_config_new_from_file(absent, &config, &error), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_file(error), ==, absent);
	g_clear_pointer(&error, utm_error_unref);
	g_assert_true(g_file_set_contents(bad, "hello", 5, NULL));
	g_assert_cmpint(utm_config_new_from_file(bad, &config, &error), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpstr(utm_error_get_file(error), ==, bad);
	g_assert_null(config);
	/* Large on disk without taking any: the limit must not depend on what is read. */
	g_assert_cmpint(truncate(bad, (off_t)1 << 40), ==, 0);
	g_assert_cmpint(utm_config_new_from_file(bad, &config, NULL), ==, UTM_ERROR_LIMIT);
	unlink(fifo);
	unlink(bad);
	rmdir(directory);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config/full-samples-are-byte-identical", test_full_samples_are_byte_identical);
	g_test_add_func("/config/unknown-keys-survive-edits", test_unknown_keys_survive_edits);
	g_test_add_func("/config/samples-have-every-key", test_samples_have_every_key);
	g_test_add_func("/config/samples-are-stable", test_samples_are_stable);
	g_test_add_func("/config/from-json", test_from_json);
	g_test_add_func("/config/binary", test_binary);
	g_test_add_func("/config/corpus", test_corpus);
	g_test_add_func("/config/early-file", test_early_file);
	g_test_add_func("/config/mode-dependent-keys-are-dropped", test_mode_dependent_keys_are_dropped);
	g_test_add_func("/config/icon", test_icon);
	g_test_add_func("/config/each-key-removed", test_each_key_removed);
	g_test_add_func("/config/each-key-of-a-wrong-type", test_each_key_of_a_wrong_type);
	g_test_add_func("/config/each-enumeration", test_each_enumeration);
	g_test_add_func("/config/integers", test_integers);
	g_test_add_func("/config/uuid", test_uuid);
	g_test_add_func("/config/port-forward-spellings", test_port_forward_spellings);
	g_test_add_func("/config/decision", test_decision);
	g_test_add_func("/config/keyboard-and-pointer", test_keyboard_and_pointer);
	g_test_add_func("/config/early-apple-file", test_early_apple_file);
	g_test_add_func("/config/apple-modes", test_apple_modes);
	g_test_add_func("/config/apple-edits", test_apple_edits);
	g_test_add_func("/config/set-and-get", test_set_and_get);
	g_test_add_func("/config/merge", test_merge);
	g_test_add_func("/config/edits-that-are-refused", test_edits_that_are_refused);
	g_test_add_func("/config/texts-are-told-the-form", test_texts_are_told_the_form);
	g_test_add_func("/config/wrong-kinds-are-told-the-kind", test_wrong_kinds_are_told_the_kind);
	g_test_add_func("/config/paths-that-are-refused", test_paths_that_are_refused);
	g_test_add_func("/config/wrong-accessors", test_wrong_accessors);
	g_test_add_func("/config/insert-and-remove", test_insert_and_remove);
	g_test_add_func("/config/values-that-no-file-can-say", test_values_that_no_file_can_say);
	g_test_add_func("/config/integers-that-no-file-can-say", test_integers_that_no_file_can_say);
	g_test_add_func("/config/json", test_json);
	g_test_add_func("/config/hostile-xml", test_hostile_xml);
	g_test_add_func("/config/hostile-values", test_hostile_values);
	g_test_add_func("/config/hostile-binary", test_hostile_binary);
	g_test_add_func("/config/hostile-binary-strings", test_hostile_binary_strings);
	g_test_add_func("/config/hostile-numbers", test_hostile_numbers);
	g_test_add_func("/config/nan-is-kept", test_nan_is_kept);
	g_test_add_func("/config/hostile-json", test_hostile_json);
	g_test_add_func("/config/a-million-drives", test_a_million_drives);
	g_test_add_func("/config/truncated", test_truncated);
	g_test_add_func("/config/damaged", test_damaged);
	g_test_add_func("/config/many-drives", test_many_drives);
	g_test_add_func("/config/files", test_files);
	return g_test_run();
}
