/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line as an object: the machine's own sockets and taps, scripts, the list of additional arguments, and misuse. */
#define GOLDEN_WITH_INTERNALS
#include "support.h"

#include "argv/argv-private.h"

#include <string.h>

static UtmArgv *build(const char *edits, const char *facts, const UtmArgvRuntime *runtime)
{
	g_autoptr(UtmConfig) config = golden_config("base.plist", edits);
	g_autoptr(UtmHost) host = golden_host(UTM_HOST_OS_LINUX, facts);
	UtmArgv *argv = NULL;
	UtmError *error = NULL;

	check(utm__argv_build(config, "/vm", host, runtime, &argv, &error), error);
	return argv;
}

#define NETWORK "+Network={'Mode':'Bridged','Hardware':'e1000','MacAddress':'52:54:00:00:00:01'}\n"
#define SERIAL "+Serial={'Mode':'Terminal','Target':'Auto'}\n"

static void test_runtime(void)
{
	const int serials[] = { 7 }, taps[] = { -1, 9 };
	UtmArgvRuntime runtime = UTM_ARGV_RUNTIME_INIT;
	runtime.qmp_fd = 3;
	runtime.agent_fd = 4;
	runtime.tpm_fd = 5;
	runtime.serial_fds = serials;
	runtime.serial_fd_count = 1;
	runtime.network_fds = taps;
	runtime.network_fd_count = 2;
	runtime.runtime_dir = "/run/a,b";
	runtime.disposable = true;
	g_autoptr(UtmArgv) argv = build(NETWORK NETWORK SERIAL SERIAL "QEMU.TPMDevice=true",
	                                "{ 'Network': [ { 'Mode': 'Bridged', 'Bridge': 'br0' } ] }", &runtime);

	g_assert_true(argv_has(argv, "-chardev socket,id=org.qemu.monitor.qmp,fd=3,server=on,wait=off"));
	g_assert_true(argv_has(argv, "-chardev socket,id=org.qemu.guest_agent,fd=4,server=on,wait=off"));
	g_assert_true(argv_has(argv, "-chardev socket,id=chrtpm0,fd=5"));
	g_assert_true(argv_has(argv, "-chardev socket,id=term0,fd=7,server=on,wait=off"));
	g_assert_true(argv_has(argv, "-chardev socket,id=term1,path=/run/a,,b/term1.sock,server=on,wait=off"));
	g_assert_true(argv_has(argv, "-netdev bridge,id=net0,br=br0"));
	g_assert_true(argv_has(argv, "-netdev tap,id=net1,fd=9"));
	g_assert_true(argv_has(argv, "-snapshot"));
}

static void test_list(void)
{
	g_autoptr(UtmConfig) config =
		golden_config("base.plist", "QEMU.AdditionalArguments=['-append \"a  b\" \"','','-x \"\"','\\u00a0\\u2028']");
	static const char *const expected[] = { "-append", "a  b", "-x", "", NULL };
	char **list = NULL;

	check(utm_argv_list_user_arguments(config, &list, NULL), NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++)
		g_assert_cmpstr(list[i], ==, expected[i]);
	utm_free(list);
	g_assert_cmpint(utm_argv_list_user_arguments(NULL, &list, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_argv_list_user_arguments(config, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_autoptr(UtmConfig) apple = golden_config("apple-clean.plist", NULL);
	g_assert_cmpint(utm_argv_list_user_arguments(apple, &list, NULL), ==, UTM_ERROR_NOT_SUPPORTED);
	g_autoptr(UtmHost) host = golden_host(UTM_HOST_OS_LINUX, NULL);
	g_autoptr(UtmArgv) argv = NULL;
	g_assert_cmpint(utm_argv_build(apple, "/vm", host, &argv, NULL), ==, UTM_ERROR_NOT_SUPPORTED);
}

/* A shell gives back what went in; the programs test has the whole script run. */
static void test_shell(void)
{
	g_autoptr(UtmArgv) argv = build("+Drive={'ImageType':'LinuxKernel','Identifier':'K','ImageName':\"a'b \\n$x\"}", NULL, NULL);
	char *script = NULL;

	check(utm_argv_to_shell(argv, &script, NULL), NULL);
	g_assert_true(g_str_has_prefix(script, "#!/bin/sh\n"));
	g_assert_nonnull(strstr(script, "\t'-kernel' '/vm/Data/a'\\''b \n$x' \\\n"));
	utm_free(script);
	g_assert_cmpint(utm_argv_to_shell(NULL, &script, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_argv_to_shell(argv, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

static void test_edges(void)
{
	g_autoptr(UtmArgv) argv = build("QEMU.MachinePropertyOverride=hpet=on", NULL, NULL);
	UtmArgv *again = utm_argv_ref(argv);
	UtmHost *host = NULL;

	utm_argv_unref(again);
	g_assert_cmpstr(utm_argv_get_reason(argv, 0), ==, "The guest waits until its monitor and screen are connected.");
	g_assert_null(utm_argv_get_reason(argv, 100000));
	g_assert_null(utm_argv_get_reason(NULL, 0));
	g_assert_cmpstr(utm_argv_get_warning(argv, 0), ==,
	                "QEMU.MachinePropertyOverride: QEMU gets additional machine properties: hpet=on");
	g_assert_null(utm_argv_get_warning(argv, utm_argv_get_warning_count(argv)));
	g_assert_null(utm_argv_ref(NULL));
	g_assert_null(utm_argv_get_strings(NULL));
	/* Only a Mac has UTM's faults. */
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, "{ 'UtmExact': true }", &host, NULL), ==,
	                UTM_ERROR_CONFIG_INVALID_VALUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/command-line/runtime", test_runtime);
	g_test_add_func("/command-line/list", test_list);
	g_test_add_func("/command-line/shell", test_shell);
	g_test_add_func("/command-line/edges", test_edges);
	return g_test_run();
}
