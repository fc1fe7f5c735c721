/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/job.h"

#include "base/util.h"
#include "bundle/bundle-impl.h"
#include "core/progress.h"

#include <errno.h>

UtmImageJob *utm__image_job_new(void (*begin)(UtmImageJob *job))
{
	UtmImageJob *job = g_new0(UtmImageJob, 1);

	job->begin = begin;
	job->place = (UtmImagePlace)UTM_IMAGE_PLACE_INIT;
	job->destination = (UtmImagePlace)UTM_IMAGE_PLACE_INIT;
	job->draft = (UtmImageDraft)UTM_IMAGE_DRAFT_INIT;
	job->victim_fd = -1;
	return job;
}

/* Files and locks. */
static void give_back(UtmImageJob *job)
{
	utm__image_draft_clear(&job->draft);
	utm__image_chain_clear(&job->chain);
	utm__close_fd(&job->victim_fd);
	utm__image_place_clear(&job->place);
	utm__image_place_clear(&job->destination);
	if (job->held)
		utm__bundle_let_go_alone(job->held);
	job->held = NULL;
}

void utm__image_job_free(UtmImageJob *job)
{
	give_back(job);
	utm_progress_unref(job->convert.progress);
	g_free(job);
}

static void free_input(void *data)
{
	utm__image_job_free(data);
}

/* --- the request --- */

/* What runs is killed, and its end ends the job: the caller hears of it when nothing is left. */
static void on_abort(UtmRequest *request, int code)
{
	UtmImageJob *job = utm__request_get_input(request);

	job->stop_code = code;
	if (job->tool)
		utm__image_tool_kill(job->tool);
}

UtmRequest *utm__image_job_request(UtmImageJob *job, UtmContext *context, UtmBundle *bundle, const char *what,
                                   gint64 timeout_ms, UtmCancel *cancel)
{
	UtmRequest *request = bundle ? utm__request_new(&bundle->object, what, timeout_ms, cancel)
	                             : utm__request_new_in(context, what, timeout_ms, cancel);

	utm__request_set_input(request, job, free_input);
	utm__request_set_abort(request, on_abort);
	return request;
}

void utm__image_job_start(UtmRequest *request)
{
	UtmImageJob *job = utm__request_get_input(request);

	job->request = utm__request_ref(request);
	job->begin(job);
}

void utm__image_job_finish(UtmImageJob *job, UtmError *error_taken, UtmImageInfo *info_taken)
{
	UtmRequest *request = job->request;

	give_back(job);
	utm__request_finish(request, error_taken, info_taken, (GDestroyNotify)utm_image_info_unref);
	utm__request_unref(request);
}

int utm__image_submit(int code, UtmRequest *request_taken, UtmRequestDeliverFunc deliver, UtmAnyFunc fn,
                      void *user_data, UtmFreeFunc free_fn)
{
	g_autoptr(UtmRequest) request = request_taken;

	if (code == 0)
		utm__request_submit(request, utm__image_job_start, deliver,
		                    utm__callback_new(utm__request_get_context(request), fn, user_data, free_fn));
	else if (free_fn)
		free_fn(user_data);
	return code;
}

void utm__image_deliver_done(UtmRequest *request, UtmCallback *callback)
{
	if (callback->fn)
		((UtmImageDoneFunc)callback->fn)(utm__request_get_context(request), utm__request_get_error(request),
		                                 callback->user_data);
}

/* --- what is asked for --- */

int utm__image_check_format(uint32_t format, const char *name, UtmError **error)
{
	if (format > UTM_IMAGE_FORMAT_VPC)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "%s: image format %u does not exist", name, format);
	return 0;
}

int utm__image_check_size(guint64 size_bytes, UtmError **error)
{
	if (size_bytes == 0 || size_bytes % 512 != 0 || size_bytes > G_MAXINT64)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT,
		                 "a disk of %" G_GUINT64_FORMAT " bytes: it takes a multiple of 512, and not 0", size_bytes);
	return 0;
}

/* --- steps --- */

int utm__image_job_open(UtmImageJob *job, guint chain_flags, UtmError **error)
{
	int result = utm__image_chain_open(job->place.dir, job->place.dir_path, job->place.name,
	                                   utm_image_format_get_name(job->format), chain_flags | UTM_IMAGE_CHAIN_NO_LINK,
	                                   &job->chain, error);

	if (result == 0 && fstat(job->chain.links[0].fd, &job->before) < 0)
		result = utm__fail_errno(error, errno, job->place.path, "cannot look at it");
	return result;
}

char *utm__image_job_image_options(const UtmImageJob *job)
{
	return utm__image_tool_options(&job->chain, 0);
}

char *utm__image_job_draft_file(const UtmImageJob *job)
{
	return utm__image_tool_file(job->chain.count);
}

static gsize list_files(const UtmImageJob *job, const char *image_options, UtmImageToolFile *files)
{
	const UtmImagePlace *place = job->destination.name ? &job->destination : &job->place;
	gsize count = job->chain.count;

	for (gsize i = 0; i < count; i++)
		files[i] = (UtmImageToolFile){ job->chain.links[i].fd, job->chain.links[i].path, i ? NULL : image_options };
	if (job->draft.fd >= 0)
		files[count++] = (UtmImageToolFile){ job->draft.fd, place->path, NULL };
	return count;
}

static void on_progress(guint parts, void *data)
{
	UtmImageJob *job = data;

	/* Each factor first divided: a disk may have 2^63 bytes. */
	utm__progress_set_done(job->convert.progress,
	                       job->virtual_size_bytes / 10000 * parts + job->virtual_size_bytes % 10000 * parts / 10000);
}

static void on_tool_end(UtmError *error_taken, bool is_sure, const char *output, void *data)
{
	UtmImageJob *job = data;

	job->tool = NULL;
	if (job->stop_code) {
		utm_error_unref(error_taken);
		error_taken = utm__request_abort_error(job->request, job->stop_code);
	}
	if (error_taken)
		utm__image_job_finish(job, error_taken, NULL);
	else
		job->next(job, is_sure, output);
}

void utm__image_job_run(UtmImageJob *job, const char *const *arguments, bool with_progress,
                        void (*next)(UtmImageJob *job, bool is_sure, const char *output))
{
	g_autofree char *options = job->chain.count ? utm__image_job_image_options(job) : NULL;
	UtmImageToolFile files[UTM_IMAGE_TOOL_FILES_MAX];
	UtmError *error = NULL;
	UtmImageToolSpec spec = { .arguments = arguments,
		                      .files = files,
		                      .file_count = list_files(job, options, files),
		                      .on_progress = with_progress ? on_progress : NULL,
		                      .on_end = on_tool_end,
		                      .data = job };

	job->next = next;
	job->tool = utm__image_tool_run(utm__request_get_context(job->request), &spec, &error);
	if (!job->tool)
		utm__image_job_finish(job, error, NULL);
}

void utm__image_job_run_info(UtmImageJob *job, void (*next)(UtmImageJob *job, bool is_sure, const char *output))
{
	/* The image alone: what it is based on is told by its name, and not looked at. */
	const UtmImageChain first = { .count = 1, .links = { job->chain.links[0] } };
	g_autofree char *options = utm__image_tool_options(&first, 0);
	const char *arguments[] = { "info", "-U", "--output=json", "--image-opts", options, NULL };

	utm__image_job_run(job, arguments, false, next);
}
