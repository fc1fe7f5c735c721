/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests with QEMU itself share: a machine without hardware, which needs no firmware, and connections to it. */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <utm/utm.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmError, utm_error_unref)

#define PATIENCE_MS 30000
#define QEMU "qemu-system-x86_64"

static UtmContext *context;

typedef struct Machine {
	GPid pid;
	char *dir;
	char *path;
} Machine;

/* A test that fails leaves no QEMU behind. */
static inline void die_with_parent(gpointer unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* With a second monitor, named `second`. */
static inline void machine_start_program(Machine *machine, const char *program)
{
	machine->dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	machine->path = g_build_filename(machine->dir, "qmp", NULL);
	g_autofree char *chardev = g_strdup_printf("socket,id=qmp,path=%s,server=on,wait=off", machine->path);
	g_autofree char *second = g_strdup_printf("socket,id=second,path=%s/second,server=on,wait=off", machine->dir);
	char *argv[] = { (char *)program, "-M", "none", "-nodefaults", "-display", "none", "-chardev", chardev,
		         "-mon", "chardev=qmp,mode=control", "-chardev", second, "-mon", "chardev=second,mode=control",
		         "-chardev", "socket,id=tcp,host=127.0.0.1,port=0,server=on,wait=off",
		         "-mon", "chardev=tcp,mode=control", NULL };
	g_autoptr(GError) error = NULL;
	if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
	                   die_with_parent, NULL, &machine->pid, &error))
		g_error("%s", error->message);
}

static inline void machine_start(Machine *machine)
{
	machine_start_program(machine, QEMU);
}

static inline void machine_end(Machine *machine)
{
	kill(machine->pid, SIGKILL);
	waitpid(machine->pid, NULL, 0);
	g_unlink(machine->path);
	for (const char *const *name = (const char *const[]){ "second", "fifo", NULL }; *name; name++) {
		g_autofree char *path = g_build_filename(machine->dir, *name, NULL);
		g_unlink(path);
	}
	g_rmdir(machine->dir);
	g_free(machine->path);
	g_free(machine->dir);
}

static inline UtmQmp *connect_with(const char *path, uint32_t flags)
{
	UtmQmp *qmp = NULL;
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.flags = flags;
	/* The socket's file is there a little before QEMU listens. */
	for (int i = 0; i < PATIENCE_MS; i++) {
		g_autoptr(UtmError) error = NULL;
		int result = utm_qmp_connect_path(context, path, &options, &qmp, &error);
		if (result == 0)
			break;
		if (result != UTM_ERROR_NOT_FOUND && result != UTM_ERROR_IO)
			g_error("%s", utm_error_get_message(error));
		g_usleep(1000);
	}
	g_assert_nonnull(qmp);
	return qmp;
}

static inline UtmQmp *machine_connect(Machine *machine)
{
	return connect_with(machine->path, 0);
}

static inline char *execute(UtmQmp *qmp, const char *command, const char *arguments)
{
	char *reply = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_qmp_execute(qmp, command, arguments, NULL, &reply, &error) < 0)
		g_error("%s: %s", command, utm_error_get_message(error));
	return reply;
}

/* False, and the test says that it is skipped, where there is no QEMU. */
static inline bool have_qemu(void)
{
	g_autofree char *qemu = g_find_program_in_path(QEMU);
	if (!qemu)
		g_print("1..0 # SKIP there is no " QEMU "\n");
	return qemu != NULL;
}

static inline int real_main(void)
{
	context = utm_context_new(NULL, NULL);
	int result = g_test_run();
	utm_context_unref(context);
	return result;
}
