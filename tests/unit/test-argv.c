/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line as the machine asks for it: descriptors, run-time directory, disposable starts. */
#include "argv/argv-private.h"

#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmArgv, utm_argv_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmConfig, utm_config_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmHost, utm_host_unref)

static void check(int code, UtmError *error)
{
	if (code == 0)
		return;
	g_autofree char *text = error ? utm_error_dup_text(error) : NULL;
	g_error("failed with %d: %s", code, text ? text : "");
}

/* Three serial ports, of which the first and the last are terminals. */
static UtmArgv *build(const UtmArgvRuntime *runtime)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "golden", "base.plist", NULL);
	g_autoptr(UtmConfig) config = NULL;
	g_autoptr(UtmHost) host = NULL;
	UtmArgv *argv = NULL;
	UtmError *error = NULL;

	check(utm_config_new_from_file(path, &config, &error), error);
	check(utm_config_set_text(config, "Serial",
	                          "[{'Mode':'Terminal','Target':'Auto'},{'Mode':'Ptty','Target':'Auto'},"
	                          "{'Mode':'Terminal','Target':'Auto'}]",
	                          &error),
	      error);
	check(utm_config_set_bool(config, "QEMU.TPMDevice", runtime->tpm_fd >= 0, &error), error);
	check(utm_host_new_from_json(UTM_HOST_OS_LINUX, NULL, &host, &error), error);
	check(utm__argv_build(config, "/vm", host, runtime, &argv, &error), error);
	return argv;
}

/* There is no QEMU for them. */
static void test_apple_machine(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "data", "config", "apple-linux.plist", NULL);
	g_autoptr(UtmConfig) config = NULL;
	g_autoptr(UtmHost) host = NULL;
	UtmArgv *argv = NULL;
	UtmError *error = NULL;

	check(utm_config_new_from_file(path, &config, &error), error);
	check(utm_host_new_from_json(UTM_HOST_OS_MACOS, NULL, &host, &error), error);
	g_assert_cmpint(utm_argv_build(config, "/vm", host, &argv, &error), ==, UTM_ERROR_NOT_SUPPORTED);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "Backend");
	g_assert_null(argv);
	utm_error_unref(error);
}

static void expect(const UtmArgv *argv, const char *value, const char *key_path)
{
	const char *const *strings = utm_argv_get_strings(argv);
	gsize i = 0;

	while (strings[i] && strcmp(strings[i], value))
		i++;
	if (!strings[i])
		g_error("no %s", value);
	g_assert_cmpstr(utm_argv_get_key_path(argv, i), ==, key_path);
}

static void test_descriptors(void)
{
	static const int serials[] = { 10, 11 };
	UtmArgvRuntime runtime = {
		.qmp_fd = 3, .agent_fd = 4, .tpm_fd = 12, .serial_fds = serials, .serial_fd_count = 2, .runtime_dir = "/run/x"
	};
	g_autoptr(UtmArgv) argv = build(&runtime);

	expect(argv, "socket,id=chrtpm0,fd=12", "QEMU.TPMDevice");
	expect(argv, "socket,id=org.qemu.monitor.qmp,fd=3,server=on,wait=off", NULL);
	expect(argv, "socket,id=org.qemu.guest_agent,fd=4,server=on,wait=off", NULL);
	expect(argv, "socket,id=term0,fd=10,server=on,wait=off", "Serial[0].Mode");
	expect(argv, "pty,id=term1", "Serial[1].Mode");
	expect(argv, "socket,id=term2,fd=11,server=on,wait=off", "Serial[2].Mode");
}

static void test_paths(void)
{
	UtmArgvRuntime runtime = UTM_ARGV_RUNTIME_INIT;

	runtime.runtime_dir = "/run/a,b";
	g_autoptr(UtmArgv) argv = build(&runtime);
	expect(argv, "socket,id=org.qemu.monitor.qmp,path=/run/a,,b/qmp.sock,server=on,wait=off", NULL);
	expect(argv, "socket,id=term2,path=/run/a,,b/term2.sock,server=on,wait=off", "Serial[2].Mode");
	/* SPICE takes no descriptor: its name is short because QEMU runs in that directory. */
	expect(argv,
	       "unix=on,addr=spice.sock,disable-ticketing=on,image-compression=off,playback-compression=off,"
	       "streaming-video=off,gl=off",
	       NULL);
}

static void test_disposable(void)
{
	UtmArgvRuntime runtime = UTM_ARGV_RUNTIME_INIT;
	g_autoptr(UtmArgv) plain = build(&runtime);

	for (const char *const *string = utm_argv_get_strings(plain); *string; string++)
		g_assert_cmpstr(*string, !=, "-snapshot");
	runtime.disposable = true;
	g_autoptr(UtmArgv) argv = build(&runtime);
	expect(argv, "-snapshot", NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/argv/apple-machine", test_apple_machine);
	g_test_add_func("/argv/descriptors", test_descriptors);
	g_test_add_func("/argv/paths", test_paths);
	g_test_add_func("/argv/disposable", test_disposable);
	return g_test_run();
}
