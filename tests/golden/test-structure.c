/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * No value of a configuration changes the structure of the command line, whichever key it is in.
 *
 * The schema is asked for every string and number there is, so a new key is tried without a change here. Each gets hostile
 * values in the file that is loaded, past what edits would refuse. Then either that key is refused, or QEMU would read the same
 * options with the same properties as for a harmless value. Additional arguments and machine properties are the exception: they
 * are there to change it, and a policy guards them; what comes before them must stay.
 */
#include "support.h"

#include <json-glib/json-glib.h>
#include <string.h>

/* --- what QEMU reads --- */

static const char *const plain_options[] = { "-kernel", "-initrd", "-dtb", "-bios", "-append",  "-L",   "-m",   "-uuid",
	                                         "-serial", "-gdb",    "-vga", "-nic",  "-display", "-name", "-rtc", "-prom-env", NULL };
static const char *const flags[] = { "-S", "-nodefaults", "-usb", "-nographic", "-snapshot", NULL };

static const char *find_end(const char *text)
{
	while (*text && (*text != ',' || text[1] == ','))
		text += *text == ',' ? 2 : 1;
	return text;
}

static void append_keys(GString *line, const char *value)
{
	for (;; value++) {
		const char *end = find_end(value);
		const char *equals = memchr(value, '=', end - value);

		g_string_append_printf(line, ",%.*s", equals ? (int)(equals - value) : 1, equals ? value : "@");
		value = end;
		if (!*value)
			break;
	}
}

/* One line for each option. Ends where the configuration's own arguments begin. */
static GPtrArray *read_structure(const UtmArgv *argv)
{
	const char *const *strings = utm_argv_get_strings(argv);
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
	gsize count = utm_argv_get_count(argv);

	for (gsize i = 0; i < count && g_strcmp0(utm_argv_get_key_path(argv, i), "QEMU.AdditionalArguments"); i++) {
		GString *line = g_string_new(strings[i]);

		if (strings[i][0] != '-')
			g_error("\"%s\" stands where an option should", strings[i]);
		if (!g_strv_contains(flags, strings[i])) {
			g_assert_cmpuint(i + 1, <, count);
			if (!g_strv_contains(plain_options, strings[i]))
				append_keys(line, strings[i + 1]);
			i++;
		}
		g_ptr_array_add(lines, g_string_free(line, FALSE));
	}
	return lines;
}

/* --- a machine with something in every section --- */

#define CARD(mode)                                                                                                            \
	"+Network={'Mode':'" mode "','Hardware':'e1000','MacAddress':'52:54:00:00:00:01','HostNetUuid':"                          \
	"'9D7C6C46-8C2B-4C0E-8B59-0F5DDCBEE0A7','PortForward':[{'Protocol':'TCP','HostAddress':'127.0.0.1','GuestAddress':"       \
	"'10.0.2.15','HostPort':1,'GuestPort':1}]}\n"
#define DISK(type, interface, id) "+Drive={'ImageType':'" type "','Interface':'" interface "','Identifier':'" id "','ImageName':'x'}\n"

static const char everything[] =
	"Input.UsbBusSupport=3.0\nQEMU.UEFIBoot=true\nQEMU.RNGDevice=true\nQEMU.TPMDevice=false\nSystem.CPU=qemu64\n"
	"QEMU.MachinePropertyOverride=hpet=on\nQEMU.AdditionalArguments=['-no-reboot']\nSystem.CPUFlagsAdd=['x']\n"
	"System.CPUFlagsRemove=['x']\nSharing.DirectoryShareMode=VirtFS\n+Display={'Hardware':'VGA','VgaRamMib':16}\n"
	"+Sound={'Hardware':'AC97'}\n+Serial={'Mode':'TcpClient','Target':'Manual','Hardware':'pci-serial','TcpHostAddress':'x'}\n"
	"+Serial={'Mode':'TcpServer','Target':'Auto','TcpPort':4444}\n" CARD("Emulated") CARD("Shared") CARD("Host") CARD("Bridged")
	DISK("Disk", "VirtIO", "A") DISK("Disk", "NVMe", "B") DISK("CD", "IDE", "C") DISK("Disk", "SCSI", "D") DISK("Disk", "USB", "E")
	DISK("Disk", "Floppy", "F") DISK("LinuxKernel", "None", "K") DISK("LinuxInitrd", "None", "L");

static const char *const hostile_texts[] = {
	"a,b=c", ",", ",,", ",,,x=y", "a,", "=", "=x", "-x", "--", "-device", "a\nb", "a\n-device\nb", "a b", "\"q\" 'z'", "$(id)", "`id`",
	"{\"driver\":\"VGA\"}", "help", "?", "a,help", "..", "../x", "/etc/passwd", "a/../../b", "a;b", "a:b", "a:b-c", "fd:3", "/dev/fd/3",
	"json:{}", "\xc3\xa9,\xc3\xbc", "\xe2\x80\xa8", "%s%n", "0", "65536", "-1", " x ", "\t", "x,readonly=off", "52:54:00:00:00:01,x=y",
	"52-54-00-00-00-01", "5254.0000.0001", "1.2.3.4:1-:2", "", "\\", "a\\,b", "x\r",
};
static const gint64 hostile_numbers[] = { -1,    0,     1,         2,          3,          9,          24,       25,
	                                      4096,  4097,  65535,     65536,      G_MAXINT32, G_MININT32, G_MAXUINT32,
	                                      G_MAXINT64, G_MININT64 };
/* What numbers may rightly lead to, which is more or fewer devices of the same kinds. */
static const gint64 harmless_numbers[] = { 0, 1, 2, 3, 4, 9, 24 };

/* --- trying --- */

typedef struct Trial {
	JsonNode *root; /* the whole configuration */
	UtmHost *host;
	const char *host_name;
	GHashTable *known; /* structures of harmless values, or their single lines */
	bool single;
	guint built, refused;
} Trial;

static char *join(GPtrArray *lines)
{
	g_ptr_array_add(lines, NULL);
	return g_strjoinv("\n", (char **)lines->pdata);
}

static void learn(Trial *trial, GPtrArray *lines)
{
	for (guint i = 0; trial->single && i < lines->len; i++)
		g_hash_table_add(trial->known, g_strdup(lines->pdata[i]));
	if (!trial->single)
		g_hash_table_add(trial->known, join(lines));
}

static void compare(Trial *trial, GPtrArray *lines, const char *key_path, const char *value)
{
	for (guint i = 0; trial->single && i < lines->len; i++) {
		if (!g_hash_table_contains(trial->known, lines->pdata[i]))
			g_error("%s: %s = %s makes %s", trial->host_name, key_path, value, (char *)lines->pdata[i]);
	}
	if (trial->single)
		return;
	g_autofree char *all = join(lines);
	if (!g_hash_table_contains(trial->known, all))
		g_error("%s: %s = \"%s\" makes\n%s", trial->host_name, key_path, value, all);
}

/* The configuration as a file has it; NULL when it cannot be one. */
static UtmArgv *build(Trial *trial, UtmError **error)
{
	g_autofree char *json = json_to_string(trial->root, FALSE);
	g_autoptr(UtmConfig) config = NULL;
	UtmArgv *argv = NULL;

	if (utm_config_load_json(json, NULL, &config, NULL) < 0)
		return NULL;
	return utm_argv_build(config, "/vm", trial->host, &argv, error) < 0 ? NULL : argv;
}

static char *name_refusal(const UtmError *error)
{
	return g_strdup_printf("refused: %s", utm_error_get_key_path(error));
}

/* The key itself, or what is refused for harmless values, too, such as the drives of a machine that nobody knows. */
static bool is_blamed(const Trial *trial, const UtmError *error, const char *key_path)
{
	const char *blamed = utm_error_get_key_path(error);
	g_autofree char *refusal = name_refusal(error);

	return (blamed && g_str_has_prefix(blamed, key_path)) || g_hash_table_contains(trial->known, refusal);
}

static void try(Trial *trial, const char *key_path, const char *value)
{
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmArgv) argv = build(trial, &error);
	g_autoptr(GPtrArray) lines = argv ? read_structure(argv) : NULL;

	if (lines)
		compare(trial, lines, key_path, value);
	else if (error && !is_blamed(trial, error, key_path))
		g_error("%s: %s = \"%s\" is blamed on %s", trial->host_name, key_path, value, utm_error_get_key_path(error));
	trial->built += lines != NULL;
	trial->refused += error != NULL;
}

static void try_harmless(Trial *trial)
{
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmArgv) argv = build(trial, &error);
	g_autoptr(GPtrArray) lines = argv ? read_structure(argv) : NULL;

	if (lines)
		learn(trial, lines);
	else if (error)
		g_hash_table_add(trial->known, name_refusal(error));
}

static JsonNode *wrap(JsonNode *node_taken, bool is_array)
{
	JsonArray *array;
	JsonNode *wrapped;

	if (!is_array)
		return node_taken;
	array = json_array_new();
	json_array_add_element(array, node_taken);
	wrapped = json_node_init_array(json_node_alloc(), array);
	json_array_unref(array);
	return wrapped;
}

static void put_text(JsonObject *object, const UtmConfigKey *key, const char *text)
{
	json_object_set_member(object, key->name, wrap(json_node_init_string(json_node_alloc(), text), key->is_array));
}

static void put_number(JsonObject *object, const UtmConfigKey *key, gint64 number)
{
	json_object_set_member(object, key->name, wrap(json_node_init_int(json_node_alloc(), number), key->is_array));
}

static void restore(JsonObject *object, const char *name, const JsonNode *original)
{
	if (original)
		json_object_set_member(object, name, json_node_copy((JsonNode *)original));
	else
		json_object_remove_member(object, name);
}

static void try_texts(Trial *trial, JsonObject *object, const UtmConfigKey *key, const char *key_path)
{
	g_autofree char *commas = g_strnfill(4096, ',');
	g_autofree char *letters = g_strnfill(4096, 'a');

	put_text(object, key, "x");
	try_harmless(trial);
	for (gsize i = 0; i < G_N_ELEMENTS(hostile_texts); i++) {
		put_text(object, key, hostile_texts[i]);
		try(trial, key_path, hostile_texts[i]);
	}
	put_text(object, key, commas);
	try(trial, key_path, "commas");
	put_text(object, key, letters);
	try(trial, key_path, "letters");
}

static void try_numbers(Trial *trial, JsonObject *object, const UtmConfigKey *key, const char *key_path)
{
	trial->single = true;
	try_harmless(trial);
	for (gsize i = 0; i < G_N_ELEMENTS(harmless_numbers); i++) {
		put_number(object, key, harmless_numbers[i]);
		try_harmless(trial);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(hostile_numbers); i++) {
		g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, hostile_numbers[i]);

		put_number(object, key, hostile_numbers[i]);
		try(trial, key_path, text);
	}
}

static void try_key(Trial *trial, JsonObject *object, const UtmConfigKey *key, const char *key_path)
{
	JsonNode *original = json_object_has_member(object, key->name) ? json_object_dup_member(object, key->name) : NULL;

	trial->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	trial->single = false;
	try_harmless(trial);
	if (key->kind == UTM_CONFIG_KIND_INT)
		try_numbers(trial, object, key, key_path);
	else
		try_texts(trial, object, key, key_path);
	restore(object, key->name, original);
	g_clear_pointer(&trial->known, g_hash_table_unref);
	if (original)
		json_node_unref(original);
}

/* --- every key there is --- */

static void walk(Trial *trial, uint32_t type, JsonObject *object, const char *path);

static void walk_section(Trial *trial, const UtmConfigKey *key, JsonNode *node, const char *path)
{
	JsonArray *elements = node && key->is_array ? json_node_get_array(node) : NULL;

	if (node && !key->is_array)
		walk(trial, key->type, json_node_get_object(node), path);
	if (key->is_array && (!elements || !json_array_get_length(elements)))
		g_error("%s: the machine of this test needs one, or its keys are not tried", path);
	for (guint i = 0; elements && i < json_array_get_length(elements); i++) {
		g_autofree char *element = g_strdup_printf("%s[%u]", path, i);

		walk(trial, key->type, json_array_get_object_element(elements, i), element);
	}
}

static void walk(Trial *trial, uint32_t type, JsonObject *object, const char *path)
{
	UtmConfigType about = UTM_CONFIG_TYPE_INIT;

	check(utm_config_schema_get_type(type, &about, NULL), NULL);
	for (size_t i = 0; i < about.count; i++) {
		UtmConfigKey key = UTM_CONFIG_KEY_INIT;

		check(utm_config_schema_get_key(type, i, &key, NULL), NULL);
		g_autofree char *key_path = g_strdup_printf("%s%s%s", path, *path ? "." : "", key.name);
		if (key.kind == UTM_CONFIG_KIND_SECTION)
			walk_section(trial, &key, json_object_get_member(object, key.name), key_path);
		else if ((key.kind == UTM_CONFIG_KIND_STRING || key.kind == UTM_CONFIG_KIND_UUID || key.kind == UTM_CONFIG_KIND_INT) &&
		         strcmp(key_path, "QEMU.MachinePropertyOverride"))
			try_key(trial, object, &key, key_path);
	}
}

static void test_host(uint32_t os, const char *name)
{
	g_autoptr(UtmConfig) config = golden_config("base.plist", everything);
	g_autoptr(UtmHost) host = golden_host(os, "{ 'GL': true, 'SharedDirectory': '/x' }");
	Trial trial = { .host = host, .host_name = name };
	char *json = NULL;

	check(utm_config_to_json(config, NULL, &json, NULL), NULL);
	trial.root = json_from_string(json, NULL);
	utm_free(json);
	walk(&trial, utm_config_schema_get_root(UTM_BACKEND_QEMU), json_node_get_object(trial.root), "");
	g_test_message("%s: %u built, %u refused", name, trial.built, trial.refused);
	/* Neither is everything refused, nor nothing. */
	g_assert_cmpuint(trial.built, >, 1000);
	g_assert_cmpuint(trial.refused, >, 100);
	json_node_unref(trial.root);
}

static void test_linux(void)
{
	test_host(UTM_HOST_OS_LINUX, "linux");
}

static void test_macos(void)
{
	test_host(UTM_HOST_OS_MACOS, "macos");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/structure/linux", test_linux);
	g_test_add_func("/structure/macos", test_macos);
	return g_test_run();
}
