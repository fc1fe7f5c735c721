/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration's schema as a program asks for it, and what it can ask wrongly. */
#include <glib.h>
#include <string.h>
#include <utm/utm.h>

static const UtmBackend backends[] = { UTM_BACKEND_QEMU, UTM_BACKEND_APPLE };

static UtmConfigKey find_key(UtmBackend backend, const char *path)
{
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	g_assert_cmpint(utm_config_schema_find_key(backend, path, &key, NULL), ==, 0);
	return key;
}

static void test_roots(void)
{
	static const char *const sections[][3] = { { "System", "QEMU", "Sound" },
		                                       { "System", "Virtualization", "Serial" } };
	for (gsize i = 0; i < G_N_ELEMENTS(backends); i++) {
		uint32_t root = utm_config_schema_get_root(backends[i]);
		UtmConfigType type = UTM_CONFIG_TYPE_INIT;
		UtmConfigKey key = UTM_CONFIG_KEY_INIT;
		guint found = 0;
		g_assert_cmpint(utm_config_schema_get_type(root, &type, NULL), ==, 0);
		g_assert_false(type.is_enum);
		for (size_t j = 0; j < type.count; j++) {
			g_assert_cmpint(utm_config_schema_get_key(root, j, &key, NULL), ==, 0);
			for (gsize k = 0; k < G_N_ELEMENTS(sections[i]); k++)
				found += strcmp(key.name, sections[i][k]) == 0;
		}
		g_assert_cmpuint(found, ==, 3);
		g_assert_cmpint(utm_config_schema_get_key(root, type.count, &key, NULL), ==, UTM_ERROR_NOT_FOUND);
	}
	g_assert_cmpuint(utm_config_schema_get_root(0), ==, 0);
	g_assert_cmpuint(utm_config_schema_get_root(3), ==, 0);
	g_assert_cmpuint(utm_config_schema_get_root(UTM_BACKEND_QEMU), !=, utm_config_schema_get_root(UTM_BACKEND_APPLE));
}

static void test_an_integer(void)
{
	UtmConfigKey key = find_key(UTM_BACKEND_QEMU, "System.MemorySize");
	g_assert_cmpstr(key.name, ==, "MemorySize");
	g_assert_cmpint(key.kind, ==, UTM_CONFIG_KIND_INT);
	g_assert_cmpstr(key.unit, ==, "MiB");
	g_assert_true(key.has_min && key.has_max);
	g_assert_cmpint(key.min, ==, 1);
	g_assert_cmpint(key.max, ==, 16777216);
	g_assert_cmpstr(key.new_json, ==, "512");
	g_assert_false(key.is_array || key.is_optional || key.is_fixed || key.is_generated || key.is_obsolete);
	g_assert_null(key.default_json);
	g_assert_null(key.used_if);
	g_assert_null(key.architectures);
	key = find_key(UTM_BACKEND_APPLE, "System.MemorySize");
	g_assert_cmpstr(key.new_json, ==, "4096");
	g_assert_false(find_key(UTM_BACKEND_QEMU, "Display[].VgaRamMib").new_json);
	g_assert_true(find_key(UTM_BACKEND_QEMU, "ConfigurationVersion").is_fixed);
}

static void test_an_enumeration(void)
{
	UtmConfigKey key = find_key(UTM_BACKEND_QEMU, "Sharing.DirectoryShareMode");
	UtmConfigType type = UTM_CONFIG_TYPE_INIT;
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;
	g_assert_cmpint(key.kind, ==, UTM_CONFIG_KIND_ENUM);
	g_assert_cmpint(utm_config_schema_get_type(key.type, &type, NULL), ==, 0);
	g_assert_true(type.is_enum);
	g_assert_cmpstr(type.name, ==, "ShareMode");
	g_assert_cmpuint(type.count, ==, 3);
	g_assert_cmpint(utm_config_schema_get_value(key.type, 2, &value, NULL), ==, 0);
	g_assert_cmpstr(value.text, ==, "VirtFS");
	g_assert_nonnull(strstr(value.architectures, "x86_64"));
	g_assert_null(strstr(value.architectures, "sparc"));
	g_assert_cmpint(utm_config_schema_get_value(key.type, 3, &value, NULL), ==, UTM_ERROR_NOT_FOUND);
	/* It is no section, and a section is none. */
	g_assert_cmpint(utm_config_schema_get_key(key.type, 0, &key, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_schema_get_value(utm_config_schema_get_root(UTM_BACKEND_QEMU), 0, &value, NULL), ==,
	                UTM_ERROR_NOT_FOUND);
}

static void test_arrays_and_elements(void)
{
	UtmConfigKey array = find_key(UTM_BACKEND_QEMU, "Drive"), element = find_key(UTM_BACKEND_QEMU, "Drive[]");
	g_assert_true(array.is_array);
	g_assert_cmpstr(array.new_json, ==, "[]");
	g_assert_false(element.is_array);
	g_assert_null(element.new_json);
	g_assert_cmpuint(array.type, ==, element.type);
	g_assert_cmpint(array.kind, ==, UTM_CONFIG_KIND_SECTION);
	g_assert_cmpint(find_key(UTM_BACKEND_QEMU, "System.CPUFlagsAdd[3]").kind, ==, UTM_CONFIG_KIND_STRING);
	g_assert_cmpstr(find_key(UTM_BACKEND_QEMU, "Network[].PortForward[7].HostPort").old_name, ==, "hostPort");
	g_assert_cmpstr(find_key(UTM_BACKEND_QEMU, "Drive[4].ReadOnly").default_if, ==, "{\"absent\":\"ImageName\"}");
	g_assert_true(find_key(UTM_BACKEND_QEMU, "Drive[].Identifier").is_generated);
	g_assert_cmpstr(find_key(UTM_BACKEND_QEMU, "Drive[].ImageName").format, ==, "file");
	g_assert_true(find_key(UTM_BACKEND_APPLE, "Drive[].Bookmark").is_obsolete);
	g_assert_cmpint(find_key(UTM_BACKEND_APPLE, "System.GenericPlatform.machineIdentifier").kind, ==,
	                UTM_CONFIG_KIND_DATA);
	g_assert_cmpint(find_key(UTM_BACKEND_QEMU, "Information.UUID").kind, ==, UTM_CONFIG_KIND_UUID);
	g_assert_cmpstr(find_key(UTM_BACKEND_QEMU, "Information.Icon").required_if, ==,
	                "{\"key\":\"IconCustom\",\"in\":[true]}");
}

static void test_paths_that_lead_nowhere(void)
{
	static const char *const paths[] = { "",
		                                 "Nonsense",
		                                 "System.",
		                                 "System.Nonsense",
		                                 "Drive.Interface",
		                                 "System[]",
		                                 "Drive[",
		                                 "Drive[x]",
		                                 "Drive[]x",
		                                 "Drive[].",
		                                 ".System",
		                                 "Drive[-1]",
		                                 "Drive[12345678901]",
		                                 "System.CPU.x",
		                                 "Virtualization" };
	for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
		UtmConfigKey key = UTM_CONFIG_KEY_INIT;
		UtmError *error = NULL;
		g_assert_cmpint(utm_config_schema_find_key(UTM_BACKEND_QEMU, paths[i], &key, &error), ==, UTM_ERROR_KEY_PATH);
		g_assert_null(key.name);
		utm_error_unref(error);
	}
	g_autofree char *longest = g_strnfill(100000, 'x');
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	g_assert_cmpint(utm_config_schema_find_key(UTM_BACKEND_QEMU, longest, &key, NULL), ==, UTM_ERROR_KEY_PATH);
}

/* A program of an older release, one of a newer one, and one that set no size. */
static void test_sizes(void)
{
	struct {
		UtmConfigKey key;
		char more[16];
	} longer = { .key.size = sizeof longer };
	UtmConfigKey shorter = { .size = offsetof(UtmConfigKey, unit), .unit = "untouched" };
	UtmConfigKey none = { .size = 0 };
	memset(longer.more, 'x', sizeof longer.more);
	g_assert_cmpint(utm_config_schema_find_key(UTM_BACKEND_QEMU, "System.MemorySize", &longer.key, NULL), ==, 0);
	g_assert_cmpint(longer.key.max, ==, 16777216);
	g_assert_cmpuint(longer.key.size, ==, sizeof longer);
	for (gsize i = 0; i < sizeof longer.more; i++)
		g_assert_cmpint(longer.more[i], ==, 0);
	g_assert_cmpint(utm_config_schema_find_key(UTM_BACKEND_QEMU, "System.MemorySize", &shorter, NULL), ==, 0);
	g_assert_cmpstr(shorter.name, ==, "MemorySize");
	g_assert_cmpstr(shorter.unit, ==, "untouched");
	for (none.size = 0; none.size <= sizeof(size_t); none.size++)
		g_assert_cmpint(utm_config_schema_get_key(utm_config_schema_get_root(UTM_BACKEND_QEMU), 0, &none, NULL), ==,
		                UTM_ERROR_STRUCT_SIZE);
	none.size = (size_t)-1;
	g_assert_cmpint(utm_config_schema_find_key(UTM_BACKEND_QEMU, "System", &none, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	UtmConfigType type = { .size = 1 };
	UtmConfigValue value = { .size = 1 };
	uint32_t enumeration = find_key(UTM_BACKEND_QEMU, "System.Architecture").type;
	g_assert_cmpint(utm_config_schema_get_type(enumeration, &type, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	g_assert_cmpint(utm_config_schema_get_value(enumeration, 0, &value, NULL), ==, UTM_ERROR_STRUCT_SIZE);
}

static void test_wrong_arguments(void)
{
	UtmConfigType type = UTM_CONFIG_TYPE_INIT;
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	uint32_t root = utm_config_schema_get_root(UTM_BACKEND_QEMU);
	static const uint32_t numbers[] = { 0, 1000, UINT32_MAX };
	bool used;
	for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
		g_assert_cmpint(utm_config_schema_get_type(numbers[i], &type, NULL), ==, UTM_ERROR_NOT_FOUND);
		g_assert_cmpint(utm_config_schema_get_key(numbers[i], 0, &key, NULL), ==, UTM_ERROR_NOT_FOUND);
	}
	g_assert_cmpint(utm_config_schema_get_key(root, SIZE_MAX, &key, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_schema_get_type(root, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_schema_get_key(root, 0, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_schema_get_value(root, 0, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_schema_find_key(0, "System", &key, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_schema_find_key(UTM_BACKEND_QEMU, NULL, &key, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_schema_find_key(UTM_BACKEND_QEMU, "System", NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_is_used(NULL, "System", &used, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

static UtmConfig *load(const char *name)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "data", "config", name, NULL);
	UtmConfig *config = NULL;
	g_assert_cmpint(utm_config_new_from_file(path, &config, NULL), ==, 0);
	return config;
}

static bool is_used(const UtmConfig *config, const char *path)
{
	bool used = false;
	g_assert_cmpint(utm_config_is_used(config, path, &used, NULL), ==, 0);
	return used;
}

static void test_used(void)
{
	UtmConfig *config = load("full.plist");
	bool used = true;
	g_assert_true(is_used(config, "System.MemorySize"));
	g_assert_cmpint(utm_config_set_text(config, "Serial[0].Mode", "TcpServer", NULL), ==, 0);
	g_assert_true(is_used(config, "Serial[0].TcpPort"));
	g_assert_false(is_used(config, "Serial[0].TcpHostAddress"));
	g_assert_false(is_used(config, "Serial[0].Terminal"));
	g_assert_false(is_used(config, "Serial[0].Terminal.Font"));
	g_assert_cmpint(utm_config_set_text(config, "Serial[0].Mode", "Terminal", NULL), ==, 0);
	g_assert_true(is_used(config, "Serial[0].Terminal.Font"));
	g_assert_cmpint(utm_config_remove(config, "Serial[0].Terminal", NULL), ==, 0);
	g_assert_false(is_used(config, "Serial[0].Terminal.Font"));
	g_assert_cmpint(utm_config_set_text(config, "System.Architecture", "x86_64", NULL), ==, 0);
	g_assert_true(is_used(config, "QEMU.UEFIBoot"));
	g_assert_cmpint(utm_config_set_text(config, "System.Architecture", "m68k", NULL), ==, 0);
	g_assert_false(is_used(config, "QEMU.UEFIBoot"));
	g_assert_false(is_used(config, "Input.UsbSharing"));
	g_assert_cmpint(utm_config_is_used(config, "Drive[99].Interface", &used, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_config_is_used(config, "Drive[].Interface", &used, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_is_used(config, "Nonsense", &used, NULL), ==, UTM_ERROR_KEY_PATH);
	g_assert_cmpint(utm_config_is_used(config, "", &used, NULL), ==, UTM_ERROR_KEY_PATH);
	utm_config_unref(config);
	config = load("apple-linux.plist");
	g_assert_false(is_used(config, "System.MacPlatform"));
	g_assert_false(is_used(config, "Virtualization.Trackpad"));
	g_assert_true(is_used(config, "System.Boot.LinuxCommandLine"));
	utm_config_unref(config);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config-schema/roots", test_roots);
	g_test_add_func("/config-schema/an-integer", test_an_integer);
	g_test_add_func("/config-schema/an-enumeration", test_an_enumeration);
	g_test_add_func("/config-schema/arrays-and-elements", test_arrays_and_elements);
	g_test_add_func("/config-schema/paths-that-lead-nowhere", test_paths_that_lead_nowhere);
	g_test_add_func("/config-schema/sizes", test_sizes);
	g_test_add_func("/config-schema/wrong-arguments", test_wrong_arguments);
	g_test_add_func("/config-schema/used", test_used);
	return g_test_run();
}
