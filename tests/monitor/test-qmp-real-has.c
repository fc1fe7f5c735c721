/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU itself says that it has, in each form of a question, and what becomes of commands that want more. The program
 * may be any release: questions whose answer depends on it are asked both ways. UTM_TEST_QEMU is the path of one more.
 */
#include "real-qemu.h"

#include <utm/qmp-commands.h>

#define RELEASE_8_2 8002000

typedef struct Case {
	const char *what;
	bool expected;
} Case;

/* The same in every release that is supported, and whatever the build. */
static const Case cases[] = {
	{ "query-status", true },
	{ "query-qmp-schema", true },
	{ "no-such-command", false },
	{ "STOP", true },
	{ "NO_SUCH_EVENT", false },
	{ "__com.example_x-thing", false },
	{ "migrate.uri", true },
	{ "migrate.url", false },
	{ "migrate.uri.more", false },
	{ "BLOCK_IO_ERROR.action", true },
	{ "BLOCK_IO_ERROR.device", true },
	{ "BLOCK_IO_ERROR.no-such", false },
	{ "query-status:status", true },
	{ "query-status:running", true },
	{ "query-status.status", false },
	{ "migrate:uri", false },
	/* Lists, structs in structs, branches, alternates. */
	{ "query-block:inserted.image.filename", true },
	{ "query-block:inserted.image.backing-image.backing-image.filename", true },
	{ "query-block:inserted.picture", false },
	{ "blockdev-add.filename", true },
	{ "blockdev-add.server.host", true },
	{ "blockdev-add.server.hose", false },
	{ "blockdev-add.backing.backing.file.driver", true },
	{ "transaction.actions.data.node", true },
	{ "object-add.qom-type", true },
	{ "human-monitor-command:anything", false },
	{ "qom-set.value", true },
	{ "qom-set.value.anything", true },
	{ "qom-set.value.anything.below", true },
	{ "qom-set.value=anything", true },
	{ "qom-set.value.anything=anything.below", true },
	{ "qom-set.value.anything#deprecated", false },
	{ "qom-set.valu.anything", false },
	{ "qom-set.path.anything", false },
	{ "qom-get:anything", true },
	/* Values, and what a value chooses. */
	{ "query-status:status=paused", true },
	{ "query-status:status=asleep", false },
	{ "query-status:running=true", false },
	{ "BLOCK_IO_ERROR.action=stop", true },
	{ "blockdev-add.driver=nbd", true },
	{ "blockdev-add.driver=floppy-net", false },
	{ "blockdev-add.driver=nbd.server", true },
	{ "blockdev-add.driver=nbd.server.type=unix.path", true },
	{ "blockdev-add.driver=nbd.server.type=unix.host", false },
	{ "blockdev-add.driver=nbd.filename", false },
	{ "blockdev-add.driver=nbd.node-name", true },
	{ "blockdev-add.driver=nbd.driver=nbd", true },
	{ "blockdev-add.backing.driver=qcow2.backing", true },
	{ "query-block:inserted.image.format-specific.type=qcow2", true },
	/* Features: of a command, of the type of a branch. */
	{ "device_add#json-cli-hotplug", true },
	{ "device_add#jet-engine", false },
	{ "query-status#json-cli-hotplug", false },
	{ "blockdev-snapshot#allow-write-only-overlay", true },
	{ "blockdev-add.driver=file#dynamic-auto-read-only", true },
	{ "blockdev-add.driver=nbd#dynamic-auto-read-only", false },
	{ "block-commit.base#deprecated", true },
	{ "block-commit.base-node#deprecated", false },
	{ "query-yank#unstable", false },
	{ "x-exit-preconfig", true },
};

/* Only since some release between 7.2 and 8.2. */
static const char *const newer[] = {
	"migrate.channels",
	"migrate.channels.addr.transport=exec.args",
	"block-commit.backing-mask-protocol",
	"blockdev-add.driver=qcow2.discard-no-unref",
	"query-migrationthreads",
	"NETDEV_VHOST_USER_CONNECTED",
};

static bool has(UtmQmp *qmp, const char *what)
{
	bool answer = false;
	g_autoptr(UtmError) error = NULL;
	if (utm_qmp_has(qmp, what, NULL, &answer, &error) < 0)
		g_error("%s: %s", what, utm_error_get_message(error));
	return answer;
}

static bool is_newer(UtmQmp *qmp)
{
	return utm_qmp_get_qemu_version(qmp) >= RELEASE_8_2;
}

static void test_questions(gconstpointer program)
{
	Machine machine;
	machine_start_program(&machine, program);
	UtmQmp *qmp = machine_connect(&machine);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		if (has(qmp, cases[i].what) != cases[i].expected)
			g_error("%s: %s", cases[i].what, cases[i].expected ? "no" : "yes");
	for (gsize i = 0; i < G_N_ELEMENTS(newer); i++)
		if (has(qmp, newer[i]) != is_newer(qmp))
			g_error("%s: %s", newer[i], is_newer(qmp) ? "no" : "yes");
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

/* ---------------------------------------------------------------- commands */

static UtmQmpBlockCommitArgs *commit_args(void)
{
	UtmQmpBlockCommitArgs *args = utm_qmp_block_commit_args_new();
	utm_set_string(&args->device, "no-such-disk");
	args->has_backing_mask_protocol = args->backing_mask_protocol = true;
	return args;
}

static int commit(UtmQmp *qmp, uint32_t flags, UtmError **error)
{
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	UtmQmpBlockCommitArgs *args = commit_args();
	options.flags = flags;
	int result = utm_qmp_block_commit(qmp, args, &options, error);
	utm_qmp_block_commit_args_free(args);
	return result;
}

/* What QEMU has reaches it, and it misses the disk; what it lacks does not, unless by force. */
static void test_newer_member(gconstpointer program)
{
	Machine machine;
	machine_start_program(&machine, program);
	UtmQmp *qmp = machine_connect(&machine);
	g_autoptr(UtmError) refused = NULL;
	g_autoptr(UtmError) forced = NULL;
	int result = commit(qmp, 0, &refused);
	if (is_newer(qmp)) {
		g_assert_cmpint(result, ==, UTM_ERROR_QMP_COMMAND);
		g_assert_nonnull(strstr(utm_error_get_message(refused), "no-such-disk"));
	} else {
		g_assert_cmpint(result, ==, UTM_ERROR_QMP_UNSUPPORTED);
		g_assert_cmpstr(utm_error_get_key_path(refused), ==, "backing-mask-protocol");
		g_assert_true(g_str_has_prefix(utm_error_get_message(refused), "block-commit of this QEMU (7."));
	}
	g_assert_cmpint(commit(qmp, UTM_QMP_CALL_FORCE, &forced), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_nonnull(strstr(utm_error_get_message(forced), is_newer(qmp) ? "no-such-disk" : "backing-mask-protocol"));
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

/* From JSON, since that is how such a tree is written down. */
static int blockdev_add(UtmQmp *qmp, const char *json, UtmError **error)
{
	UtmQmpBlockdevOptions *args = NULL;
	g_assert_cmpint(utm_qmp_blockdev_options_from_json(json, &args, error), ==, 0);
	int result = utm_qmp_blockdev_add(qmp, args, NULL, error);
	utm_qmp_blockdev_options_free(args);
	return result;
}

static void test_places(gconstpointer program)
{
	static const struct {
		const char *json, *key_path, *message;
	} wrong[] = {
		{ "{\"driver\":\"null-co\",\"node-name\":\"a\",\"soul\":1}", "soul", "does not have it" },
		{ "{\"driver\":\"raw\",\"file\":{\"driver\":\"null-co\",\"soul\":1}}", "file.soul", "does not have it" },
		{ "{\"driver\":\"quorum\",\"vote-threshold\":1,\"children\":[\"a\",{\"driver\":\"null-co\",\"soul\":1}]}",
		  "children[1].soul", "does not have it" },
		{ "{\"driver\":\"mind\",\"a\":1}", "driver", "does not have the value \"mind\"" },
		{ "{\"driver\":\"null-co\",\"discard\":\"all\"}", "discard", "does not have the value \"all\"" },
	};
	Machine machine;
	machine_start_program(&machine, program);
	UtmQmp *qmp = machine_connect(&machine);
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(blockdev_add(qmp, wrong[i].json, &error), ==, UTM_ERROR_QMP_UNSUPPORTED);
		g_assert_cmpstr(utm_error_get_key_path(error), ==, wrong[i].key_path);
		if (!strstr(utm_error_get_message(error), wrong[i].message))
			g_error("%s", utm_error_get_message(error));
	}
	/* The one that it has, with all that may make the library doubt. */
	g_autoptr(UtmError) error = NULL;
	if (blockdev_add(qmp, "{\"driver\":\"null-co\",\"node-name\":\"a\",\"size\":1024,\"read-zeroes\":true}", &error) < 0)
		g_error("%s", utm_error_get_message(error));
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

static void test_commands(gconstpointer program)
{
	Machine machine;
	machine_start_program(&machine, program);
	UtmQmp *qmp = machine_connect(&machine);
	g_autoptr(UtmError) removed = NULL;
	g_autoptr(UtmError) device = NULL;
	/* Unstable, and gone since 9.1; before, a command like others. */
	UtmQmpHumanReadableText *text = NULL;
	int result = utm_qmp_x_query_rdma(qmp, NULL, NULL, &text, &removed);
	g_assert_cmpint(result, ==, has(qmp, "x-query-rdma") ? 0 : UTM_ERROR_QMP_UNSUPPORTED);
	utm_qmp_human_readable_text_free(text);
	/* Members that no schema has go through to the device. */
	UtmQmpDeviceAddArgs *args = utm_qmp_device_add_args_new();
	utm_set_string(&args->driver, "no-such-device");
	g_assert_cmpint(utm_struct_set_extra(args, "serial", "\"7\"", NULL), ==, 0);
	g_assert_cmpint(utm_qmp_device_add(qmp, args, NULL, &device), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_nonnull(strstr(utm_error_get_message(device), "no-such-device"));
	utm_qmp_device_add_args_free(args);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

/* ---------------------------------------------------------------- asynchronous */

typedef struct Ends {
	int count, yes, unsupported, commands;
} Ends;

static void on_has(UtmQmp *qmp, bool answer, const UtmError *error, void *data)
{
	Ends *ends = data;
	g_assert_null(error);
	ends->count++;
	ends->yes += answer;
}

static void on_commit(UtmCallResult *result, void *data)
{
	Ends *ends = data;
	int code = utm_qmp_block_commit_finish(result, NULL);
	ends->count++;
	ends->unsupported += code == UTM_ERROR_QMP_UNSUPPORTED;
	ends->commands += code == UTM_ERROR_QMP_COMMAND;
}

static void test_async(gconstpointer program)
{
	Machine machine;
	machine_start_program(&machine, program);
	UtmQmp *qmp = machine_connect(&machine);
	UtmQmpCallOptions force = UTM_QMP_CALL_OPTIONS_INIT;
	UtmQmpBlockCommitArgs *args = commit_args();
	Ends ends = { 0 };
	force.flags = UTM_QMP_CALL_FORCE;
	g_assert_cmpint(utm_qmp_block_commit_async(qmp, args, NULL, on_commit, &ends, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_block_commit_async(qmp, args, &force, on_commit, &ends, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_has_async(qmp, "block-commit.speed", NULL, on_has, &ends, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_has_async(qmp, "block-commit.pace", NULL, on_has, &ends, NULL, NULL), ==, 0);
	utm_qmp_block_commit_args_free(args);
	gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000;
	while (ends.count < 4 && g_get_monotonic_time() < end)
		utm_context_wait(context, 100);
	g_assert_cmpint(ends.count, ==, 4);
	g_assert_cmpint(ends.yes, ==, 1);
	g_assert_cmpint(ends.commands, ==, is_newer(qmp) ? 2 : 1);
	g_assert_cmpint(ends.unsupported, ==, is_newer(qmp) ? 0 : 1);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

static void add_program(const char *program)
{
	static const struct {
		const char *name;
		GTestDataFunc test;
	} tests[] = {
		{ "questions", test_questions }, { "newer-member", test_newer_member }, { "places", test_places },
		{ "commands", test_commands },   { "async", test_async },
	};
	g_autofree char *found = g_find_program_in_path(program);
	g_autofree char *base = g_path_get_basename(program);
	for (gsize i = 0; found && i < G_N_ELEMENTS(tests); i++) {
		/* A second one of the name is another release. */
		g_autofree char *path = g_strdup_printf("/qmp-real-has/%s/%s", *program == '/' ? "other" : base, tests[i].name);
		g_test_add_data_func(path, program, tests[i].test);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (!have_qemu())
		return 0;
	add_program(QEMU);
	add_program("qemu-system-aarch64");
	if (g_getenv("UTM_TEST_QEMU"))
		add_program(g_getenv("UTM_TEST_QEMU"));
	return real_main();
}
