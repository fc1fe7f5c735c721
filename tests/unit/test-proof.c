/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The test guest: under TCG it must run to its end, so that where it does not, the accelerator is to blame; KVM gives
 * whatever this machine has, in time. Fakes are for QEMUs that hang, complain, or are asked twice.
 */
#include "base/util.h"
#include "host/cores.h"
#include "host/proof-guest.h"
#include "host/proof.h"
#include "host/survey.h"
#include "tree.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The deadline, and what a loaded machine takes to notice. */
#define PATIENCE_MS (UTM_PROOF_MS + 5000)

typedef struct Asked {
	UtmContext *context;
	const char *path, *architecture, *accelerator;
	gint done; /* atomic: how often */
	int32_t state;
	char *reason;
} Asked;

static void on_done(int32_t state, const char *reason, void *data)
{
	Asked *asked = data;

	asked->state = state;
	asked->reason = g_strdup(reason);
	g_atomic_int_inc(&asked->done);
}

static void start(void *data)
{
	Asked *asked = data;

	utm__accelerator_prove(asked->context, asked->path, asked->architecture, asked->accelerator, on_done, asked);
}

/* How many milliseconds it took. */
static gint64 wait_for(Asked *asked, gint64 since_us)
{
	while (!g_atomic_int_get(&asked->done)) {
		g_assert_cmpint((g_get_monotonic_time() - since_us) / 1000, <, PATIENCE_MS);
		g_usleep(1000);
	}
	return (g_get_monotonic_time() - since_us) / 1000;
}

static gint64 prove(Asked *asked)
{
	gint64 since = g_get_monotonic_time();

	g_clear_pointer(&asked->reason, g_free);
	g_atomic_int_set(&asked->done, 0);
	utm__context_invoke(asked->context, start, asked);
	return wait_for(asked, since);
}

/* --- the real ones --- */

static char *find_qemu(const char *architecture)
{
	g_autofree char *name = g_strconcat("qemu-system-", architecture, NULL);
	char *path = g_find_program_in_path(name);

	if (!path)
		g_test_skip("no such QEMU here");
	return path;
}

static void test_tcg(gconstpointer architecture)
{
	g_autofree char *path = find_qemu(architecture);
	Asked asked = { utm_context_new(NULL, NULL), path, architecture, "tcg", 0, 0, NULL };

	if (path) {
		gint64 cold = prove(&asked);

		g_test_message("%s: state %d, %" G_GINT64_FORMAT " ms%s%s", path, asked.state, cold, asked.reason ? ", " : "",
		               asked.reason ? asked.reason : "");
		g_assert_cmpint(asked.state, ==, UTM_HOST_FEATURE_STATE_WORKS);
		g_assert_null(asked.reason);
	}
	utm_context_unref(asked.context);
}

/* A guest of another machine does not end as it should: what the proof sees is the guest, not that QEMU ran. */
static void test_tcg_wrong_guest(void)
{
	g_autofree char *path = find_qemu("i386");
	Asked asked = { utm_context_new(NULL, NULL), path, "x86_64", "tcg", 0, 0, NULL };

	if (path) {
		/* Without a 64-bit processor there is no long mode. */
		prove(&asked);
		g_assert_cmpint(asked.state, ==, UTM_HOST_FEATURE_STATE_FAILS);
		g_assert_nonnull(asked.reason);
	}
	utm_context_unref(asked.context);
	g_free(asked.reason);
}

static void test_kvm(void)
{
	const char *architecture = utm__host_architecture();
	g_autofree char *path = find_qemu(architecture);
	Asked asked = { utm_context_new(NULL, NULL), path, architecture, "kvm", 0, 0, NULL };

	if (path) {
		gint64 cold = prove(&asked);
		int32_t state = asked.state;
		gint64 warm = prove(&asked);

		g_test_message("KVM: state %d, %s; cold %" G_GINT64_FORMAT " ms, warm %" G_GINT64_FORMAT " ms", state,
		               asked.reason ? asked.reason : "works", cold, warm);
		g_assert_cmpint(asked.state, ==, state);
		g_assert_true((state == UTM_HOST_FEATURE_STATE_WORKS) == !asked.reason);
		g_assert_cmpint(warm, <, UTM_PROOF_MS / 2);
	}
	utm_context_unref(asked.context);
	g_free(asked.reason);
}

/* Nothing is run for the guests of another architecture: the program does not even exist. */
static void test_foreign(void)
{
	Asked asked = { utm_context_new(NULL, NULL), "/nowhere/qemu", "sparc", "kvm", 0, 0, NULL };

	prove(&asked);
	g_assert_cmpint(asked.state, ==, UTM_HOST_FEATURE_STATE_ABSENT);
	g_assert_nonnull(strstr(asked.reason, utm__host_architecture()));
	asked.accelerator = "tcg";
	prove(&asked);
	g_assert_cmpint(asked.state, ==, UTM_HOST_FEATURE_STATE_UNKNOWN);
	utm_context_unref(asked.context);
	g_free(asked.reason);
}

/* --- faults --- */

typedef struct Fake {
	char *dir, *program;
	Asked asked;
} Fake;

static void fake_init(Fake *fake, const char *script)
{
	*fake = (Fake){ .dir = test_place_new() };
	fake->program = g_build_filename(fake->dir, "qemu", NULL);
	put_file(fake->dir, "qemu", script);
	g_chmod(fake->program, 0700);
	g_setenv("UTM_TEST_DIR", fake->dir, TRUE);
	fake->asked = (Asked){ utm_context_new(NULL, NULL), fake->program, "x86_64", "tcg", 0, 0, NULL };
}

static void fake_clear(Fake *fake)
{
	utm_context_unref(fake->asked.context);
	g_free(fake->asked.reason);
	test_remove_tree(fake->dir);
	g_free(fake->dir);
	g_free(fake->program);
}

static void expect(const char *script, int32_t state, const char *reason)
{
	Fake fake;

	fake_init(&fake, script);
	prove(&fake.asked);
	g_assert_cmpint(fake.asked.state, ==, state);
	if (!strstr(fake.asked.reason, reason))
		g_error("no \"%s\" in \"%s\"", reason, fake.asked.reason);
	fake_clear(&fake);
}

static void test_complaints(void)
{
	expect("#!/bin/sh\necho 'qemu: something' >&2; echo 'qemu: broken' >&2; exit 7\n", UTM_HOST_FEATURE_STATE_FAILS,
	       "status 7: qemu: broken");
	expect("#!/bin/sh\nexit 0\n", UTM_HOST_FEATURE_STATE_FAILS, "status 0");
	expect("#!/bin/sh\nkill -6 $$\n", UTM_HOST_FEATURE_STATE_FAILS, "status 134");
	expect("#!/bin/sh\necho 'qemu: -accel kvm: invalid accelerator kvm' >&2; exit 1\n", UTM_HOST_FEATURE_STATE_ABSENT,
	       "without it");
	expect("#!/nowhere/sh\n", UTM_HOST_FEATURE_STATE_UNKNOWN, "no test guest could be run");
}

/* It is killed, the answer comes in time, and is remembered; a second question meanwhile waits for the same answer. */
static void test_hangs(void)
{
	g_autofree char *runs = NULL;
	g_autofree char *runs_path = NULL;
	Fake fake;

	fake_init(&fake, "#!/bin/sh\necho $$ >>\"$UTM_TEST_DIR/runs\"\nexec sleep 60\n");
	runs_path = g_build_filename(fake.dir, "runs", NULL);
	Asked second = fake.asked;
	gint64 since = g_get_monotonic_time();
	utm__context_invoke(fake.asked.context, start, &fake.asked);
	utm__context_invoke(fake.asked.context, start, &second);
	gint64 took = wait_for(&fake.asked, since);
	wait_for(&second, since);
	g_assert_cmpint(took, >=, UTM_PROOF_MS - 100);
	g_assert_cmpint(fake.asked.state, ==, UTM_HOST_FEATURE_STATE_FAILS);
	g_assert_nonnull(strstr(fake.asked.reason, "3000 ms"));
	g_assert_cmpstr(second.reason, ==, fake.asked.reason);
	g_free(second.reason);
	g_assert_cmpint(prove(&fake.asked), <, UTM_PROOF_MS / 2);
	g_assert_cmpint(fake.asked.state, ==, UTM_HOST_FEATURE_STATE_FAILS);
	g_assert_true(g_file_get_contents(runs_path, &runs, NULL, NULL));
	g_assert_null(strchr(strchr(runs, '\n') + 1, '\n'));
	for (int i = 0; i < 2000 && kill((pid_t)atoi(runs), 0) == 0; i++)
		g_usleep(1000);
	g_assert_cmpint(kill((pid_t)atoi(runs), 0), ==, -1);
	fake_clear(&fake);
}

/* Whoever asked hears of it, once, and nothing is left. */
static void test_context_ends(void)
{
	Fake fake;

	fake_init(&fake, "#!/bin/sh\nexec sleep 60\n");
	utm__context_call(fake.asked.context, start, &fake.asked);
	g_assert_cmpint(g_atomic_int_get(&fake.asked.done), ==, 0);
	utm_context_unref(g_steal_pointer(&fake.asked.context));
	g_assert_cmpint(g_atomic_int_get(&fake.asked.done), ==, 1);
	fake_clear(&fake);
}

/* A program that was replaced is another one. */
static void test_replaced(void)
{
	Fake fake;

	fake_init(&fake, "#!/bin/sh\nexit 7\n");
	prove(&fake.asked);
	g_assert_nonnull(strstr(fake.asked.reason, "status 7"));
	put_file(fake.dir, "qemu", "#!/bin/sh\nexit 8 # now\n");
	g_chmod(fake.program, 0700);
	prove(&fake.asked);
	g_assert_nonnull(strstr(fake.asked.reason, "status 8"));
	fake_clear(&fake);
}

/* --- the image --- */

static void test_image(void)
{
	const UtmProofGuest *guest = utm__proof_guest_find("x86_64");
	guint8 reset[3];
	utm_autofd fd = utm__proof_guest_open(guest, NULL);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(lseek(fd, 0, SEEK_END), ==, 65536);
	g_assert_cmpint(pread(fd, reset, 3, 0xfff0), ==, 3);
	/* The jump leads to the code, which leaves the reset vector alone. */
	g_assert_cmpint((0xfff3 + reset[1] + reset[2] * 256) & 0xffff, ==, guest->code_offset);
	g_assert_cmpuint(guest->code_offset + guest->code_size, <=, 0xfff0);
	g_assert_cmpint(pwrite(fd, reset, 1, 0), ==, -1); /* sealed */
	g_assert_null(utm__proof_guest_find("sparc"));
	g_assert_null(utm__proof_guest_find(NULL));
}

/* --- the bridge helper's rules --- */

static void expect_bridges(const char *rules, const char *expected)
{
	g_autofree char *dir = test_place_new();
	g_autofree char *path = g_build_filename(dir, "bridge.conf", NULL);
	g_autoptr(GPtrArray) allowed = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) text = g_string_new(rules);

	g_string_replace(text, "DIR", dir, 0);
	put_file(dir, "bridge.conf", text->str);
	put_file(dir, "more.conf", "allow virbr1\n");
	g_assert_true(utm__bridge_rules_read(path, allowed));
	g_ptr_array_add(allowed, NULL);
	g_autofree char *all = g_strjoinv(" ", (char **)allowed->pdata);
	g_assert_cmpstr(all, ==, expected);
	test_remove_tree(dir);
}

static void test_bridges(void)
{
	g_autoptr(GPtrArray) allowed = g_ptr_array_new_with_free_func(g_free);
	GString *many = g_string_new(NULL);

	expect_bridges("", "");
	expect_bridges("# allow br9\n  allow br0 \n\tallow\tbr1\nallow\n", "br0 br1");
	expect_bridges("allow br0\nallow br1\ndeny br0\n", "br1");
	expect_bridges("allow all\n", "all");
	expect_bridges("allow br0\ndeny all\nallow br1\n", "");
	expect_bridges("include DIR/more.conf\nallow br0", "virbr1 br0");
	expect_bridges("include DIR/bridge.conf\ninclude /dev/zero\ninclude DIR\n", ""); /* round and round */
	expect_bridges("allow a-name-longer-than-any\npermit br0\n", "");
	g_assert_false(utm__bridge_rules_read("/nowhere/bridge.conf", allowed));
	for (int i = 0; i < 300; i++)
		g_string_append_printf(many, "allow br%d\n", i);
	g_autofree char *dir = test_place_new();
	g_autofree char *path = g_build_filename(dir, "bridge.conf", NULL);
	put_file(dir, "bridge.conf", many->str);
	g_assert_true(utm__bridge_rules_read(path, allowed));
	g_assert_cmpuint(allowed->len, ==, 256);
	g_string_free(many, TRUE);
	test_remove_tree(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/proof/tcg/x86_64", "x86_64", test_tcg);
	g_test_add_data_func("/proof/tcg/aarch64", "aarch64", test_tcg);
	g_test_add_func("/proof/tcg/wrong-guest", test_tcg_wrong_guest);
	g_test_add_func("/proof/kvm", test_kvm);
	g_test_add_func("/proof/foreign", test_foreign);
	g_test_add_func("/proof/complaints", test_complaints);
	g_test_add_func("/proof/hangs", test_hangs);
	g_test_add_func("/proof/context-ends", test_context_ends);
	g_test_add_func("/proof/replaced", test_replaced);
	g_test_add_func("/proof/image", test_image);
	g_test_add_func("/proof/bridges", test_bridges);
	return g_test_run();
}
