/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What callers get wrong: NULL, sizes of structs, unknown numbers. Every mistake is an error, none is a crash. */
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utm/utm.h>

static void test_null_is_an_error_or_nothing(void)
{
	UtmError *error = NULL;
	utm_free(NULL);
	utm_error_unref(NULL);
	utm_cancel_unref(NULL);
	utm_cancel_trigger(NULL);
	utm_context_unref(NULL);
	utm_bundle_unref(NULL);
	utm_bundle_files_free(NULL);
	utm_config_unref(NULL);
	utm_host_unref(NULL);
	utm_argv_unref(NULL);
	utm_qmp_unref(NULL);
	utm_qmp_close(NULL);
	utm_guest_unref(NULL);
	utm_guest_close(NULL);
	utm_qmp_subscription_unref(NULL);
	g_assert_null(utm_qmp_subscription_ref(NULL));
	utm_qmp_event_unref(NULL);
	g_assert_null(utm_qmp_event_ref(NULL));
	utm_console_unref(NULL);
	utm_console_close(NULL);
	utm_display_unref(NULL);
	utm_frame_unref(NULL);
	utm_vm_unref(NULL);
	utm_end_reason_unref(NULL);
	g_assert_cmpint(utm_context_get_fd(NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_context_dispatch(NULL, 0), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_context_wait(NULL, 0), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_vm_start(NULL, NULL, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_error_get_code(error), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_error_get_domain(error), ==, UTM_ERROR_DOMAIN_API);
	utm_error_unref(error);
	g_assert_cmpint(utm_vm_start(NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_vm_stop(NULL, UTM_VM_STOP_FORCE, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_vm_pause(NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_bundle_open(NULL, "x", NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_new_from_data(NULL, 0, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_get_int(NULL, "System.MemorySize", NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_argv_build(NULL, NULL, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_execute(NULL, "x", NULL, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_path(NULL, "x", NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_guest_execute(NULL, "x", NULL, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_guest_connect_path(NULL, "x", NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_subscription_wait(NULL, NULL, NULL, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_connect_path(NULL, "x", NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_send_key(NULL, 1, true, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(utm_display_acquire_frame(NULL));
	g_assert_null(utm_vm_get_display(NULL, 0));
	g_assert_null(utm_vm_get_end_reason(NULL));
}

static int context_code(const UtmContextOptions *options)
{
	UtmError *error = NULL;
	UtmContext *context = utm_context_new(options, &error);
	int code = utm_error_get_code(error);
	g_assert_true((context != NULL) == (code == 0));
	utm_context_unref(context);
	utm_error_unref(error);
	return code;
}

static void test_sized_structs(void)
{
	UtmContextOptions zero, fine = UTM_CONTEXT_OPTIONS_INIT, old = UTM_CONTEXT_OPTIONS_INIT;
	memset(&zero, 0, sizeof zero);
	g_assert_cmpint(context_code(&fine), ==, 0);
	g_assert_cmpint(context_code(&zero), ==, UTM_ERROR_STRUCT_SIZE);
	old.size = sizeof(size_t) + sizeof(void *);
	g_assert_cmpint(context_code(&old), ==, UTM_ERROR_STRUCT_TOO_OLD);
	fine.size = 1u << 20;
	g_assert_cmpint(context_code(&fine), ==, UTM_ERROR_STRUCT_SIZE);

	struct {
		UtmContextOptions options;
		uint64_t later[2];
	} newer = { .options = UTM_CONTEXT_OPTIONS_INIT };
	newer.options.size = sizeof newer;
	g_assert_cmpint(context_code(&newer.options), ==, 0); /* nothing new is used */
	newer.later[1] = 1;
	g_assert_cmpint(context_code(&newer.options), ==, UTM_ERROR_STRUCT_TOO_NEW);
}

static void test_unknown_numbers(void)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.accel_policy = 99;
	g_assert_cmpint(context_code(&options), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.accel_policy = UTM_ACCEL_POLICY_AUTO;
	options.argument_policy = 3;
	g_assert_cmpint(context_code(&options), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(utm_vm_state_get_name(99));
	g_assert_null(utm_end_kind_get_name(99));
	g_assert_null(utm_error_code_get_name(-9999));
	g_assert_false(utm_feature_supported(9999, 0));
	g_assert_false(utm_feature_supported(UTM_FEATURE_CONFIG_VERSION, 5));
	g_assert_true(utm_feature_supported(UTM_FEATURE_CONFIG_VERSION, 4));
	g_assert_true(utm_feature_supported(UTM_FEATURE_ERROR_CODE, (uint32_t)UTM_ERROR_TIMEOUT));
}

static void test_version(void)
{
	g_assert_cmpstr(utm_version_string(), ==, UTM_VERSION_STRING);
	g_assert_true(UTM_VERSION_CHECK(0, 1, 0));
	g_assert_false(UTM_VERSION_CHECK(99, 0, 0));
	g_assert_cmpuint(utm_version_number(), ==,
	                 UTM_VERSION_MAJOR * 1000000 + UTM_VERSION_MINOR * 1000 + UTM_VERSION_MICRO);
}

static void test_error_text(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	UtmBundle *bundle = NULL;
	UtmError *error = NULL;
	g_assert_cmpint(utm_bundle_open(context, "/nonexistent/Foo.utm", &bundle, &error), ==, UTM_ERROR_NOT_FOUND);
	g_assert_null(bundle);
	char *text = utm_error_dup_text(error);
	g_assert_true(g_str_has_prefix(text, "/nonexistent/Foo.utm: "));
	g_assert_nonnull(strstr(text, "(not-found)\n\t"));
	g_assert_cmpstr(utm_error_code_get_name(utm_error_get_code(error)), ==, "not-found");
	g_assert_cmpint(utm_error_get_exit_status(error), ==, -1);
	utm_free(text);
	utm_error_unref(error);
	utm_context_unref(context);
}

static void test_cancel_outlives_its_calls(void)
{
	UtmCancel *cancel = utm_cancel_new();
	utm_cancel_ref(cancel);
	utm_cancel_unref(cancel);
	utm_cancel_trigger(cancel);
	utm_cancel_trigger(cancel);
	UtmContext *context = utm_context_new(NULL, NULL);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	UtmQmp *qmp = NULL;
	options.cancel = cancel;
	g_assert_cmpint(utm_qmp_connect_path(context, "/nonexistent/qmp", &options, &qmp, NULL), <, 0);
	utm_context_unref(context);
	utm_cancel_unref(cancel);
}

/* As much of a monitor as connecting needs, said in advance: what the client sends is not looked at. */
static UtmQmp *connect_to_nobody(UtmContext *context, int *ret_peer)
{
	static const char talk[] = "{\"QMP\":{}}{\"return\":{},\"id\":0}";
	int fds[2];
	UtmQmp *qmp = NULL;
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	g_assert_cmpint(write(fds[0], talk, sizeof talk - 1), ==, sizeof talk - 1);
	g_assert_cmpint(utm_qmp_connect_fd(context, fds[1], NULL, &qmp, NULL), ==, 0);
	*ret_peer = fds[0];
	return qmp;
}

static void on_qmp_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	g_assert_not_reached();
}

static void count_free(void *data)
{
	++*(int *)data;
}

static void assert_no_subscription(UtmQmp *qmp, const char *const *names, int code)
{
	UtmQmpSubscription *subscription = NULL;
	UtmError *error = NULL;
	int freed = 0;
	g_assert_cmpint(utm_qmp_subscribe(qmp, names, on_qmp_event, &freed, count_free, &subscription, &error), ==, code);
	g_assert_cmpint(utm_error_get_code(error), ==, code);
	g_assert_null(subscription);
	g_assert_cmpint(freed, ==, 1);
	utm_error_unref(error);
}

static void test_subscribe(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	int peer, freed = 0;
	UtmQmp *qmp = connect_to_nobody(context, &peer);
	UtmQmpSubscription *subscription = NULL;
	g_autofree char *long_name = g_strnfill(256, 'A');
	const char *const no_name[] = { "STOP", "", NULL }, *const long_names[] = { long_name, NULL };
	const char *many[300] = { NULL };
	for (gsize i = 0; i < G_N_ELEMENTS(many) - 1; i++)
		many[i] = "STOP";
	assert_no_subscription(NULL, NULL, UTM_ERROR_INVALID_ARGUMENT);
	assert_no_subscription(qmp, no_name, UTM_ERROR_INVALID_ARGUMENT);
	assert_no_subscription(qmp, long_names, UTM_ERROR_INVALID_ARGUMENT);
	assert_no_subscription(qmp, many, UTM_ERROR_LIMIT);
	g_assert_cmpint(utm_qmp_subscribe(qmp, NULL, on_qmp_event, &freed, count_free, NULL, NULL), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(freed, ==, 1);
	g_assert_cmpint(utm_qmp_set_event_handler(NULL, on_qmp_event, &freed, count_free), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(freed, ==, 2);
	/* Without a function the data is kept all the same, until the subscription ends. */
	g_assert_cmpint(utm_qmp_subscribe(qmp, NULL, NULL, &freed, count_free, &subscription, NULL), ==, 0);
	g_assert_cmpint(freed, ==, 2);
	utm_qmp_subscription_unref(subscription);
	g_assert_cmpint(freed, ==, 3);
	utm_qmp_unref(qmp);
	utm_context_unref(context);
	close(peer);
}

static int wait_code(UtmQmpSubscription *subscription, const UtmQmpWaitOptions *options)
{
	const UtmQmpEvent *event = NULL;
	UtmError *error = NULL;
	int code = utm_qmp_subscription_wait(subscription, NULL, NULL, options, &event, &error);
	g_assert_cmpint(utm_error_get_code(error), ==, code);
	g_assert_null(event);
	utm_error_unref(error);
	return code;
}

static void test_subscription_wait(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	int peer;
	UtmQmp *qmp = connect_to_nobody(context, &peer);
	UtmQmpSubscription *collecting = NULL, *function = NULL;
	UtmQmpWaitOptions options = UTM_QMP_WAIT_OPTIONS_INIT;
	utm_qmp_subscribe(qmp, NULL, NULL, NULL, NULL, &collecting, NULL);
	utm_qmp_subscribe(qmp, NULL, on_qmp_event, NULL, NULL, &function, NULL);
	options.timeout_ms = 1;
	g_assert_cmpint(wait_code(NULL, &options), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(wait_code(function, &options), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(wait_code(collecting, &options), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpint(utm_qmp_subscription_wait(collecting, NULL, NULL, &options, NULL, NULL), ==, UTM_ERROR_TIMEOUT);
	options.timeout_ms = -2;
	g_assert_cmpint(wait_code(collecting, &options), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.timeout_ms = INT64_MAX;
	options.cancel = utm_cancel_new();
	utm_cancel_trigger(options.cancel);
	g_assert_cmpint(wait_code(collecting, &options), ==, UTM_ERROR_CANCELLED);
	utm_cancel_unref(options.cancel);
	options.size = 0;
	g_assert_cmpint(wait_code(collecting, &options), ==, UTM_ERROR_STRUCT_SIZE);
	options.size = sizeof(size_t);
	g_assert_cmpint(wait_code(collecting, &options), ==, UTM_ERROR_STRUCT_TOO_OLD);
	utm_qmp_subscription_unref(collecting);
	utm_qmp_subscription_unref(function);
	utm_qmp_unref(qmp);
	utm_context_unref(context);
	close(peer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/misuse/null", test_null_is_an_error_or_nothing);
	g_test_add_func("/misuse/sized-structs", test_sized_structs);
	g_test_add_func("/misuse/unknown-numbers", test_unknown_numbers);
	g_test_add_func("/misuse/version", test_version);
	g_test_add_func("/misuse/error-text", test_error_text);
	g_test_add_func("/misuse/cancel", test_cancel_outlives_its_calls);
	g_test_add_func("/misuse/subscribe", test_subscribe);
	g_test_add_func("/misuse/subscription-wait", test_subscription_wait);
	return g_test_run();
}
