/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The TPM's process: being ready, hanging, ending. Scripts stand for swtpm; the real one is behind test-vm-tpm. */
#include "tree.h"
#include "vm/tpm.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_US (20 * G_USEC_PER_SEC)

typedef struct Fixture {
	UtmContext *context;
	char *place;
	UtmTpmSpec spec;
	UtmTpm *tpm;
	UtmError *start_error;

	pthread_mutex_t lock; /* guards what follows */
	int ready, ended;
	UtmError *error;
} Fixture;

static void on_ready(UtmTpm *tpm, const UtmError *error, void *data)
{
	Fixture *f = data;
	pthread_mutex_lock(&f->lock);
	f->ready++;
	f->error = utm_error_ref((UtmError *)error);
	pthread_mutex_unlock(&f->lock);
}

static void on_end(UtmTpm *tpm, void *data)
{
	Fixture *f = data;
	pthread_mutex_lock(&f->lock);
	f->ended++;
	pthread_mutex_unlock(&f->lock);
}

static int read_count(Fixture *f, const int *count)
{
	pthread_mutex_lock(&f->lock);
	int value = *count;
	pthread_mutex_unlock(&f->lock);
	return value;
}

static void wait_for(Fixture *f, const int *count)
{
	gint64 deadline = g_get_monotonic_time() + WAIT_US;
	while (!read_count(f, count)) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		g_usleep(10000);
	}
}

static void start_on_io(void *data)
{
	Fixture *f = data;
	f->tpm = utm__tpm_start(f->context, &f->spec, &f->start_error);
}

static void end_on_io(void *data)
{
	utm__tpm_end(((Fixture *)data)->tpm);
}

static void free_on_io(void *data)
{
	utm__tpm_free(((Fixture *)data)->tpm);
}

/* `script` is what stands in the place of swtpm. */
static void fixture_init(Fixture *f, const char *script, gint64 ready_timeout_ms)
{
	memset(f, 0, sizeof *f);
	pthread_mutex_init(&f->lock, NULL);
	f->context = utm_context_new(NULL, NULL);
	f->place = test_place_new();
	g_autofree char *data = g_build_filename(f->place, "Data", NULL);
	char *program = g_build_filename(f->place, "swtpm", NULL);
	g_mkdir(data, 0700);
	put_file(f->place, "swtpm", script);
	g_chmod(program, 0700);
	f->spec = (UtmTpmSpec){
		.program = program,
		.bundle_path = f->place,
		.lock_fd = -1,
		.ready_timeout_ms = ready_timeout_ms,
		.on_ready = on_ready,
		.on_end = on_end,
		.data = f,
	};
	utm__context_call(f->context, start_on_io, f);
}

static void fixture_clear(Fixture *f)
{
	if (f->tpm) {
		utm__context_call(f->context, end_on_io, f);
		wait_for(f, &f->ended);
		utm__context_call(f->context, free_on_io, f);
	}
	utm_context_unref(f->context);
	utm_error_unref(f->error);
	utm_error_unref(f->start_error);
	test_remove_tree(f->place);
	g_free(f->place);
	g_free((char *)f->spec.program);
	pthread_mutex_destroy(&f->lock);
}

/* That nothing comes is told in time, with what the program said, and it is ended although it will not hear. */
static void test_hangs(void)
{
	Fixture f;
	gint64 before = g_get_monotonic_time();
	fixture_init(&f, "#!/bin/sh\ntrap '' TERM\necho swtpm: one moment >&2\nwhile :; do sleep 0.2; done\n", 1000);
	wait_for(&f, &f.ready);
	g_assert_cmpint(g_get_monotonic_time() - before, >, 900000);
	g_assert_cmpint(utm_error_get_code(f.error), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_message(f.error), ==, "swtpm did not answer within 1000 ms: swtpm: one moment");
	g_assert_cmpstr(utm_error_get_key_path(f.error), ==, "QEMU.TPMDevice");
	g_assert_true(utm__tpm_is_running(f.tpm));
	fixture_clear(&f);
}

/* Half an answer is none, and the rest of it may come later. */
static void test_answers(void)
{
	Fixture f;
	fixture_init(&f, "#!/bin/sh\nprintf 1234 >&3; sleep 0.2; printf 5678 >&3; sleep 30\n", 10000);
	wait_for(&f, &f.ready);
	g_assert_null(f.error);
	int fd = utm__tpm_take_socket(f.tpm);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(utm__tpm_take_socket(f.tpm), ==, -1);
	/* What was asked has been left for nobody but swtpm. */
	char byte;
	g_assert_cmpint(recv(fd, &byte, 1, MSG_DONTWAIT), ==, -1);
	close(fd);
	fixture_clear(&f);
}

static void test_half_an_answer(void)
{
	Fixture f;
	fixture_init(&f, "#!/bin/sh\nprintf 1234 >&3\necho swtpm: broken >&2\nexit 1\n", 10000);
	wait_for(&f, &f.ended);
	g_assert_cmpint(f.ready, ==, 1);
	g_assert_cmpint(utm_error_get_code(f.error), ==, UTM_ERROR_PROCESS_EXITED);
	g_assert_cmpint(utm_error_get_exit_status(f.error), ==, 1);
	g_assert_nonnull(strstr(utm_error_get_message(f.error), "swtpm: broken"));
	fixture_clear(&f);
}

/* Given up before it answered: then nobody is told that it does. */
static void test_ended_before_ready(void)
{
	Fixture f;
	fixture_init(&f, "#!/bin/sh\nsleep 30\n", 10000);
	utm__context_call(f.context, end_on_io, &f);
	wait_for(&f, &f.ended);
	g_assert_cmpint(f.ready, ==, 0);
	g_assert_false(utm__tpm_is_running(f.tpm));
	fixture_clear(&f);
}

/* The end of the context takes it along. */
static void test_end_of_context(void)
{
	Fixture f;
	fixture_init(&f, "#!/bin/sh\ntrap '' TERM\nsleep 30\n", 10000);
	UtmTpm *tpm = g_steal_pointer(&f.tpm);
	utm_context_unref(g_steal_pointer(&f.context));
	g_assert_cmpint(f.ended, ==, 1);
	utm__tpm_free(tpm);
	fixture_clear(&f);
}

static void test_large_state(void)
{
	Fixture f;
	fixture_init(&f, "#!/bin/sh\nsleep 30\n", 10000);
	g_autofree char *state = g_build_filename(f.place, "Data", "tpmdata", NULL);
	utm__context_call(f.context, end_on_io, &f);
	wait_for(&f, &f.ended);
	utm__context_call(f.context, free_on_io, &f);
	g_assert_cmpint(truncate(state, 17 * 1024 * 1024), ==, 0);
	utm__context_call(f.context, start_on_io, &f);
	g_assert_null(f.tpm);
	g_assert_cmpint(utm_error_get_code(f.start_error), ==, UTM_ERROR_LIMIT);
	fixture_clear(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tpm-process/hangs", test_hangs);
	g_test_add_func("/tpm-process/answers", test_answers);
	g_test_add_func("/tpm-process/half-an-answer", test_half_an_answer);
	g_test_add_func("/tpm-process/ended-before-ready", test_ended_before_ready);
	g_test_add_func("/tpm-process/end-of-context", test_end_of_context);
	g_test_add_func("/tpm-process/large-state", test_large_state);
	return g_test_run();
}
