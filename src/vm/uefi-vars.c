/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store of UEFI variables is the template, converted to qcow2 so that snapshots work. It is written beside its place
 * and renamed when it is whole and flushed, so that whatever ends this leaves the old one or none. qemu-img gets both files
 * as descriptors: nothing that a package holds, or that a name contains, can lead it elsewhere.
 */
#include "vm/uefi-vars.h"

#include "base/file.h"
#include "base/qcow2.h"
#include "base/util.h"
#include "bundle/bundle-private.h"
#include "bundle/spot.h"
#include "host/host-private.h"
#include "host/qemu-program.h"
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Descriptors in the child. */
#define CHILD_FD_TEMPLATE 3
#define CHILD_FD_STORE 4

struct UtmVarsJob {
	bool replace;
	void (*done)(UtmError *error_taken, void *data);
	void *data;
	UtmProcess *qemu_img;
	int dir;    /* Data */
	int store;  /* under its temporary name */
	char temporary[UTM_TEMPORARY_NAME_SIZE];
	char *path; /* of the store when it is in place */
	guint64 size; /* what the firmware sees of it */
};

static void job_free(UtmVarsJob *job)
{
	if (job->store >= 0)
		(void)unlinkat(job->dir, job->temporary, 0);
	utm__close_fd(&job->store);
	utm__close_fd(&job->dir);
	utm__process_free(job->qemu_img);
	g_free(job->path);
	g_free(job);
}

/* ---------------------------------------------------------------- the end */

/* A conversion counts when its result is what was asked for, whatever its status says. */
static bool is_whole(UtmVarsJob *job)
{
	g_auto(UtmImageHead) head = { 0 };
	utm__image_head_read(job->store, &head);
	return head.qcow2 && head.virtual_size == job->size && !head.backing && !head.external_data;
}

static int put_in_place(UtmVarsJob *job, UtmError **error)
{
	const char *name = UTM_BUNDLE_EFI_VARS;
	int failed = job->replace ? (renameat(job->dir, job->temporary, job->dir, name) < 0 ? errno : 0)
	                          : utm__rename_new(job->dir, job->temporary, job->dir, name);
	/* Somebody else's is as good. */
	if (failed == EEXIST)
		return 0;
	if (failed)
		return utm__fail_errno(error, failed, job->path, "cannot put the UEFI variables in place");
	utm__close_fd(&job->store);
	return 0;
}

static void on_converted(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	UtmVarsJob *job = data;
	UtmError *error = NULL;
	g_autofree char *tail = g_strdup(utm__process_get_stderr_tail(process));
	if (utm__process_end_is_known(end) && end->exit_status != 0) {
		error = utm__error_new(UTM_ERROR_PROCESS_EXITED, "qemu-img could not make the UEFI variables: %s",
		                       tail ? tail : "no message");
		utm__error_set_file(utm__error_set_exit(error, end->exit_status, tail), job->path);
	} else if (!is_whole(job)) {
		error = utm__error_new(UTM_ERROR_PROCESS_EXITED, "what qemu-img made of the UEFI variables is not whole");
		utm__error_set_file(utm__error_set_exit(error, end->exit_status, tail), job->path);
	} else {
		put_in_place(job, &error);
	}
	void (*done)(UtmError *error_taken, void *done_data) = job->done;
	void *done_data = job->data;
	/* First: who is told looks, and shall find nothing that was left beside the store. */
	job_free(job);
	done(error, done_data);
}

/* ---------------------------------------------------------------- the beginning */

/* Fails for a template that refers to other files: it is nobody's idea of one. */
static int open_template(UtmVarsJob *job, const char *path, bool *ret_qcow2, UtmError **error)
{
	utm_autofd fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	g_auto(UtmImageHead) head = { 0 };
	if (fd < 0)
		return utm__fail_errno(error, errno, path, "cannot read the template of UEFI variables");
	utm__image_head_read(fd, &head);
	job->size = utm__image_size(path);
	if (!job->size || head.backing || head.external_data)
		return utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_FIRMWARE_NOT_FOUND,
		                      "is no template of UEFI variables"), path));
	*ret_qcow2 = head.qcow2;
	int taken = fd;
	fd = -1;
	return taken;
}

static int fail_unwritable(int code, const char *path, UtmError **error)
{
	UtmError *refused = utm__error_new(UTM_ERROR_IO, "cannot make the UEFI variables: %s", g_strerror(code));
	utm__error_set_errno(refused, code);
	if (code == EROFS || code == EACCES || code == EPERM)
		utm__error_set_remedy(refused, "Copy the bundle to a place where it can be written.");
	return utm__fail_take(error, utm__error_set_file(refused, path));
}

static int open_store(UtmVarsJob *job, const char *bundle_path, UtmError **error)
{
	g_autofree char *data_path = NULL;
	utm_autofd root = utm__open_root(bundle_path, error);
	if (root < 0)
		return root;
	int failed = utm__open_data(root, bundle_path, &job->dir, &data_path, error);
	if (failed < 0)
		return failed;
	if (job->dir < 0)
		return utm__fail_missing(bundle_path, UTM_BUNDLE_DATA, error);
	job->path = g_build_filename(data_path, UTM_BUNDLE_EFI_VARS, NULL);
	job->store = utm__create_temporary(job->dir, 0600, job->temporary);
	return job->store < 0 ? fail_unwritable(errno, job->path, error) : 0;
}

static int spawn(UtmVarsJob *job, UtmContext *context, const UtmVarsSpec *spec, UtmError **error)
{
	bool qcow2 = false;
	utm_autofd template = open_template(job, spec->template_path, &qcow2, error);
	if (template < 0)
		return template;
	g_autofree char *program = utm__qemu_find_tool_beside(context, spec->qemu_path, "qemu-img", "qemu-utils", error);
	if (!program)
		return UTM_ERROR_NOT_FOUND;
	g_autofree char *from = g_strdup_printf("/dev/fd/%d", CHILD_FD_TEMPLATE);
	g_autofree char *to = g_strdup_printf("/dev/fd/%d", CHILD_FD_STORE);
	/* Its default for targets is not to flush them. */
	const char *argv[] = { program, "convert", "-t", "writeback", "-f", qcow2 ? "qcow2" : "raw", "-O", "qcow2", from, to, NULL };
	const UtmProcessFd fds[] = { { template, CHILD_FD_TEMPLATE }, { job->store, CHILD_FD_STORE } };
	UtmProcessSpec process = {
		.argv = argv, .fds = fds, .fd_count = 2, .stdout_fd = -1, .on_end = on_converted, .data = job
	};
	job->qemu_img = utm__process_spawn(context, &process, error);
	return job->qemu_img ? 0 : UTM_ERROR_SPAWN_FAILED;
}

UtmVarsJob *utm__vars_make(UtmContext *context, const UtmVarsSpec *spec, UtmError **error)
{
	UtmVarsJob *job = g_new0(UtmVarsJob, 1);
	job->dir = job->store = -1;
	job->replace = spec->replace;
	job->done = spec->done;
	job->data = spec->data;
	if (open_store(job, spec->bundle_path, error) == 0 && spawn(job, context, spec, error) == 0)
		return job;
	job_free(job);
	return NULL;
}

void utm__vars_kill(UtmVarsJob *job)
{
	utm__process_kill(job->qemu_img, SIGKILL);
}
