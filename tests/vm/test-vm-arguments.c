/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a start does with additional arguments, and with taps that the application brings; on a real QEMU. */
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utm/utm.h>

typedef struct Fixture {
	char *bundle_path;
	UtmContext *context;
	UtmBundle *bundle;
	UtmVm *vm;
	GString *warnings;
} Fixture;

static void on_event(UtmVm *vm, const UtmVmEvent *event, void *data)
{
	if (event->kind == UTM_VM_EVENT_WARNING)
		g_string_append_printf(((Fixture *)data)->warnings, "%s\n", event->text);
}

static void open_fixture(Fixture *f, uint32_t policy, const TestEdit *edits)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	options.argument_policy = policy;
	f->context = utm_context_new(&options, NULL);
	f->bundle_path = test_bundle_new("Arguments", edits);
	f->warnings = g_string_new(NULL);
	g_assert_cmpint(utm_bundle_open(f->context, f->bundle_path, &f->bundle, NULL), ==, 0);
	g_assert_cmpint(utm_vm_new(f->bundle, &f->vm, NULL), ==, 0);
	utm_vm_set_event_handler(f->vm, on_event, f, NULL);
}

static void close_fixture(Fixture *f)
{
	utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL);
	utm_vm_unref(f->vm);
	utm_bundle_unref(f->bundle);
	utm_context_unref(f->context);
	test_bundle_remove(f->bundle_path);
	g_string_free(f->warnings, TRUE);
}

static int start(Fixture *f, uint32_t flags, UtmHost *host, UtmError **error)
{
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	options.flags = UTM_VM_START_PAUSED | flags;
	options.host = host;
	int code = utm_vm_start(f->vm, &options, error);
	utm_context_dispatch(f->context, 0);
	return code;
}

static void must_start(Fixture *f, uint32_t flags, UtmHost *host)
{
	UtmError *error = NULL;
	if (start(f, flags, host, &error) < 0)
		g_error("%s", utm_error_dup_text(error));
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
}

static void must_be_refused(Fixture *f, UtmHost *host)
{
	UtmError *error = NULL;
	g_assert_cmpint(start(f, 0, host, &error), ==, UTM_ERROR_ARGUMENTS_REFUSED);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "QEMU.AdditionalArguments");
	g_assert_nonnull(strstr(utm_error_get_message(error), "-boot menu=on"));
	utm_error_unref(error);
}

/* ---------------------------------------------------------------- additional arguments */

static const TestEdit with_arguments[] = { { "Display", "[]" },
	                                       { "QEMU.AdditionalArguments", "['-boot menu=on']" },
	                                       { NULL, NULL } };

static void test_list(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, UTM_ARGUMENT_POLICY_LIST, with_arguments);
	must_start(f, 0, NULL);
	g_assert_nonnull(strstr(f->warnings->str, "QEMU.AdditionalArguments: QEMU gets additional arguments: -boot menu=on"));
	close_fixture(f);
}

static void test_allow(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, UTM_ARGUMENT_POLICY_ALLOW, with_arguments);
	must_start(f, 0, NULL);
	g_assert_null(strstr(f->warnings->str, "AdditionalArguments"));
	close_fixture(f);
}

/* The user's consent lifts it for one start; facts that somebody wrote do not. */
static void test_refuse(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmHost *host = NULL;
	open_fixture(f, UTM_ARGUMENT_POLICY_REFUSE, with_arguments);
	must_be_refused(f, NULL);
	must_start(f, UTM_VM_START_ALLOW_ARGUMENTS, NULL);
	must_be_refused(f, NULL);
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, "{ 'Arguments': 'Allow' }", &host, NULL), ==, 0);
	must_be_refused(f, host);
	utm_host_unref(host);
	close_fixture(f);
}

/* Facts may be stricter than the context. */
static void test_strict_facts(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmHost *host = NULL;
	open_fixture(f, UTM_ARGUMENT_POLICY_ALLOW, with_arguments);
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, "{ 'Arguments': 'Refuse', 'QemuVersion': '7.2' }", &host, NULL), ==, 0);
	must_be_refused(f, host);
	must_start(f, UTM_VM_START_ALLOW_ARGUMENTS, host);
	utm_host_unref(host);
	close_fixture(f);
}

/* ---------------------------------------------------------------- taps */

static const TestEdit with_cards[] = { { "Display", "[]" },
	                                   { "Network", "[{'Mode':'Bridged','Hardware':'e1000','MacAddress':'52:54:00:00:00:01'},"
	                                                "{'Mode':'Emulated','Hardware':'e1000','MacAddress':'52:54:00:00:00:02'}]" },
	                                   { NULL, NULL } };

static int open_tap(void)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int start_with_fds(Fixture *f, const UtmVmNetworkFd *fds, size_t count, UtmError **error)
{
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	options.flags = UTM_VM_START_PAUSED;
	options.network_fds = fds;
	options.network_fd_count = count;
	return utm_vm_start(f->vm, &options, error);
}

static void test_tap(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmVmNetworkFd tap = { .index = 1, .fd = open_tap() };
	UtmError *error = NULL;
	char *reply = NULL;
	if (tap.fd < 0) {
		g_test_skip("no tap can be opened here");
		return;
	}
	open_fixture(f, UTM_ARGUMENT_POLICY_LIST, with_cards);
	if (start_with_fds(f, &tap, 1, &error) < 0)
		g_error("%s", utm_error_dup_text(error));
	/* The caller's descriptor is the caller's. */
	g_assert_cmpint(fcntl(tap.fd, F_GETFD), >=, 0);
	g_assert_cmpint(utm_qmp_execute(utm_vm_get_qmp(f->vm), "human-monitor-command", "{\"command-line\":\"info network\"}", NULL,
	                                &reply, NULL), ==, 0);
	g_assert_nonnull(strstr(reply, "net1: index=0,type=tap,fd="));
	g_assert_nonnull(strstr(reply, "net0: index=0,type=user"));
	utm_free(reply);
	close_fixture(f);
	close(tap.fd);
}

/* A descriptor of something else: QEMU says so, and the start tells it. */
static void test_no_tap(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmVmNetworkFd pretender = { .index = 0, .fd = open("/dev/null", O_RDWR | O_CLOEXEC) };
	UtmError *error = NULL;
	open_fixture(f, UTM_ARGUMENT_POLICY_LIST, with_cards);
	g_assert_cmpint(start_with_fds(f, &pretender, 1, &error), ==, UTM_ERROR_PROCESS_EXITED);
	g_test_message("%s", utm_error_get_message(error));
	utm_error_unref(error);
	close_fixture(f);
	close(pretender.fd);
}

static void test_misuse(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const UtmVmNetworkFd beyond[] = { { 2, null } }, twice[] = { { 0, null }, { 0, null } }, closed[] = { { 0, -1 } },
	                     many[] = { { 0, null }, { 1, null }, { 1, null } }, not_open[] = { { 0, 100000 } };
	open_fixture(f, UTM_ARGUMENT_POLICY_LIST, with_cards);
	g_assert_cmpint(start_with_fds(f, beyond, 1, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(start_with_fds(f, twice, 2, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(start_with_fds(f, closed, 1, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(start_with_fds(f, not_open, 1, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(start_with_fds(f, many, 3, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(start_with_fds(f, NULL, 1, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_STOPPED);
	close_fixture(f);
	close(null);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *qemu = g_find_program_in_path("qemu-system-x86_64");
	if (qemu) {
		g_test_add_func("/vm-arguments/list", test_list);
		g_test_add_func("/vm-arguments/allow", test_allow);
		g_test_add_func("/vm-arguments/refuse", test_refuse);
		g_test_add_func("/vm-arguments/strict-facts", test_strict_facts);
		g_test_add_func("/vm-arguments/tap", test_tap);
		g_test_add_func("/vm-arguments/no-tap", test_no_tap);
	}
	g_test_add_func("/vm-arguments/misuse", test_misuse);
	return g_test_run();
}
