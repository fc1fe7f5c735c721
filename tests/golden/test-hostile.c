/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hostile text in every string of a configuration never changes the structure of the command line: either the value is
 * refused with its key path, or QEMU would read the same options with the same keys, and the text as one value.
 */
#include "support.h"

#include <string.h>

/* --- what QEMU reads --- */

/* Options whose value is one text, not a list of properties. */
static const char *const plain_options[] = { "-kernel",   "-initrd", "-dtb",     "-bios",   "-append",
	                                         "-L",        "-m",      "-uuid",    "-serial", "-gdb",
	                                         "-prom-env", "-vga",    "-display", "-nic",    NULL };
static const char *const flags[] = { "-S", "-nodefaults", "-usb", "-nographic", "-snapshot", NULL };

/* The end of a property: a comma that is not doubled. */
static const char *find_end(const char *text)
{
	while (*text && (*text != ',' || text[1] == ','))
		text += *text == ',' ? 2 : 1;
	return text;
}

/* "name=" of each property; a value without a name stands as itself, so that a changed first word shows too. */
static void append_keys(GString *skeleton, const char *value)
{
	bool first = true;

	while (true) {
		const char *end = find_end(value);
		const char *equals = memchr(value, '=', end - value);

		if (equals)
			g_string_append_printf(skeleton, " %.*s", (int)(equals - value), value);
		else
			g_string_append(skeleton, first ? " @" : " !");
		first = false;
		if (!*end)
			break;
		value = end + 1;
	}
}

static char *make_skeleton(const UtmArgv *argv)
{
	const char *const *strings = utm_argv_get_strings(argv);
	GString *skeleton = g_string_new(NULL);

	while (*strings) {
		const char *option = *strings++;

		g_assert_cmpint(option[0], ==, '-');
		g_string_append(skeleton, option);
		if (!g_strv_contains(flags, option)) {
			g_assert_nonnull(*strings);
			/* The name may or may not need its key, but has no second one. */
			if (!strcmp(option, "-name"))
				g_assert_null(strchr(*strings, ','));
			else if (!g_strv_contains(plain_options, option))
				append_keys(skeleton, *strings);
			strings++;
		}
		g_string_append_c(skeleton, '\n');
	}
	return g_string_free(skeleton, FALSE);
}

/* --- texts --- */

static const char *const hostile[] = {
	"a,b=c",
	",",
	",,",
	",,,x=y",
	"a,",
	"=",
	"=x",
	"-x",
	"--",
	"-device",
	"a\nb",
	"a\n-device\nb",
	"a b",
	"\"q\" 'z'",
	"$(id)",
	"`id`",
	"{\"driver\":\"VGA\"}",
	"help",
	"?",
	"a,help",
	"..",
	"../x",
	"/etc/passwd",
	"a/../../b",
	"a;b",
	"a:b",
	"a:b-c",
	"fd:3",
	"/dev/fd/3",
	"json:{}",
	"\xc3\xa9,\xc3\xbc",
	"\xe2\x80\xa8",
	"%s%n",
	"0",
	"-1",
	" x ",
	"\t",
	"x,readonly=off",
};

typedef struct Place {
	const char *config;
	const char *key_path;
	const char *benign; /* gives the structure to compare with */
} Place;

#define EXAMPLE(name) name "/config.plist"

static const Place places[] = {
	{ EXAMPLE("q35-windows"), "Information.Name", "x" },
	{ "base.plist", "System.Target", "none" },
	{ EXAMPLE("q35-windows"), "System.CPU", "qemu64" },
	{ EXAMPLE("q35-windows"), "Display[0].Hardware", "VGA" },
	{ EXAMPLE("q35-windows"), "Network[0].Hardware", "e1000" },
	{ EXAMPLE("q35-windows"), "Network[0].MacAddress", "52:54:00:00:00:01" },
	{ EXAMPLE("q35-windows"), "Sound[0].Hardware", "AC97" },
	{ EXAMPLE("q35-windows"), "Drive[0].ImageName", "x.qcow2" },
	{ EXAMPLE("q35-windows"), "Drive[0].Identifier", "x" },
	{ EXAMPLE("q35-windows"), "Drive[1].Identifier", "x" },
	{ EXAMPLE("i386-pc-dos"), "System.CPUFlagsAdd[0]", "x" },
	{ EXAMPLE("i386-pc-dos"), "System.CPUFlagsRemove[0]", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanGuestAddress", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanHostAddress", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanGuestAddressIPv6", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanHostAddressIPv6", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanDhcpStartAddress", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanDhcpDomain", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanDnsServerAddress", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanDnsServerAddressIPv6", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].VlanDnsSearchDomain", "x" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].PortForward[0].HostAddress", "127.0.0.1" },
	{ EXAMPLE("i386-pc-dos"), "Network[0].PortForward[0].GuestAddress", "10.0.2.15" },
	{ EXAMPLE("aarch64-virt-ubuntu"), "Network[0].BridgeInterface", "x" },
	{ EXAMPLE("aarch64-virt-kernel"), "Drive[0].ImageName", "x" },
	{ EXAMPLE("aarch64-virt-kernel"), "Drive[1].ImageName", "x" },
	{ "hostile.plist", "Serial[0].TcpHostAddress", "x" },
	{ "hostile.plist", "Serial[1].Hardware", "pci-serial" },
	{ "hostile.plist", "Drive[0].ImageName", "x" },
	{ "hostile.plist", "Drive[1].ImageName", "x" },
	{ "hostile.plist", "Drive[2].ImageName", "x" },
	{ "hostile.plist", "Drive[3].ImageName", "x" },
	{ "hostile.plist", "Drive[4].ImageName", "x" },
};

static void compare(const UtmConfig *config, const UtmHost *host, const char *bundle, const char *expected,
                    const char *key_path)
{
	g_autoptr(UtmArgv) argv = NULL;
	g_autoptr(UtmError) error = NULL;

	if (utm_argv_build(config, bundle, host, &argv, &error) < 0) {
		/* Only the value at fault may be blamed. */
		g_assert_cmpstr(utm_error_get_key_path(error), ==, key_path);
		return;
	}
	g_autofree char *skeleton = make_skeleton(argv);
	g_assert_cmpstr(skeleton, ==, expected);
}

static char *get_expected(const UtmConfig *config, const UtmHost *host)
{
	g_autoptr(UtmArgv) argv = NULL;
	UtmError *error = NULL;

	check(utm_argv_build(config, "/vm", host, &argv, &error), error);
	return make_skeleton(argv);
}

static bool put(UtmConfig *config, const char *key_path, const char *text)
{
	return utm_config_set_string(config, key_path, text, NULL) == 0;
}

static void try_place(const Place *place, uint32_t os)
{
	g_autoptr(UtmConfig) config = golden_config(place->config, "QEMU.AdditionalArguments=[]");
	g_autoptr(UtmHost) host = golden_host(os, "{ 'GL': true, 'SharedDirectory': '/x' }");
	g_autofree char *expected = NULL;

	g_assert_true(put(config, place->key_path, place->benign));
	expected = get_expected(config, host);
	for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++) {
		if (put(config, place->key_path, hostile[i]))
			compare(config, host, "/vm", expected, place->key_path);
	}
	g_autofree char *long_name = g_strnfill(4096, ',');
	if (put(config, place->key_path, long_name))
		compare(config, host, "/vm", expected, place->key_path);
}

static void test_linux(gconstpointer place)
{
	try_place(place, UTM_HOST_OS_LINUX);
}

static void test_macos(gconstpointer place)
{
	try_place(place, UTM_HOST_OS_MACOS);
}

/* The bundle's own path can hold anything, bytes that are no text included. */
static void test_bundle_path(void)
{
	g_autoptr(UtmConfig) config = golden_config("q35-windows/config.plist", NULL);
	g_autoptr(UtmHost) host = golden_host(UTM_HOST_OS_LINUX, NULL);
	g_autofree char *expected = get_expected(config, host);
	static const char *const paths[] = { "/a,b=c.utm", "/a b\nc.utm", "/\xff\xfe,.utm", "-x.utm", "/\"'$(id).utm" };

	for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
		compare(config, host, paths[i], expected, NULL);
}

/* Nor can the host facts. */
static void test_facts(void)
{
	g_autoptr(UtmConfig) config = golden_config("aarch64-virt-ubuntu/config.plist", NULL);
	g_autoptr(UtmHost) plain = golden_host(
		UTM_HOST_OS_LINUX, "{ 'SharedDirectory': '/x', 'RenderNode': '/x', 'BridgeHelper': '/x', 'HostAudio': 'pa',"
						   " 'Network': [ { 'Mode': 'Bridged', 'Bridge': 'x' } ], 'Medium': [ { 'Identifier':"
						   " 'C0000000-0002-4000-8000-000000000002', 'Path': '/x' } ] }");
	g_autoptr(UtmHost) host =
		golden_host(UTM_HOST_OS_LINUX,
	                "{ 'SharedDirectory': '/x,a=b', 'RenderNode': ',gl=off', 'BridgeHelper': '=,,x', 'HostAudio': 'pa',"
	                " 'Network': [ { 'Mode': 'Bridged', 'Bridge': 'x,fd=3' } ], 'Medium': [ { 'Identifier':"
	                " 'C0000000-0002-4000-8000-000000000002', 'Path': '/x,file.filename=/y' } ] }");
	g_autofree char *expected = get_expected(config, plain);

	compare(config, host, "/vm", expected, NULL);
}

/* Ten thousand drives take a moment, not a minute: nothing is searched from the start for each. */
static void test_many_drives(void)
{
	g_autoptr(UtmConfig) config = golden_config("base.plist", NULL);
	g_autoptr(UtmHost) host = golden_host(UTM_HOST_OS_LINUX, NULL);
	g_autoptr(UtmArgv) argv = NULL;
	GString *drives = g_string_new("[");
	UtmError *error = NULL;

	for (int i = 0; i < 10000; i++)
		g_string_append_printf(drives,
		                       "%s{'ImageType':'Disk','Interface':'VirtIO','Identifier':'%d','ImageName':'%d.img'}",
		                       i ? "," : "", i, i);
	g_string_append_c(drives, ']');
	check(utm_config_set_text(config, "Drive", drives->str, &error), error);
	g_string_free(drives, TRUE);
	check(utm_argv_build(config, "/vm", host, &argv, &error), error);
	g_assert_cmpuint(utm_argv_get_count(argv), >, 40000);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		g_autofree char *on_linux = g_strdup_printf("/hostile/linux/%s/%s", places[i].config, places[i].key_path);
		g_autofree char *on_macos = g_strdup_printf("/hostile/macos/%s/%s", places[i].config, places[i].key_path);

		g_test_add_data_func(on_linux, &places[i], test_linux);
		g_test_add_data_func(on_macos, &places[i], test_macos);
	}
	g_test_add_func("/hostile/bundle-path", test_bundle_path);
	g_test_add_func("/hostile/facts", test_facts);
	g_test_add_func("/hostile/many-drives", test_many_drives);
	return g_test_run();
}
