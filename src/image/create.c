/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New images. */
#include "image/job.h"

#include "base/image-format.h"
#include "base/sized-struct.h"

#include <fcntl.h>
#include <string.h>

#define CREATE_MS 60000

static const char *const preallocations[] = {
	[UTM_IMAGE_PREALLOCATION_OFF] = "preallocation=off",
	[UTM_IMAGE_PREALLOCATION_METADATA] = "preallocation=metadata",
	[UTM_IMAGE_PREALLOCATION_FALLOC] = "preallocation=falloc",
	[UTM_IMAGE_PREALLOCATION_FULL] = "preallocation=full",
};

static void on_created(UtmImageJob *job, bool is_sure, const char *output)
{
	UtmError *error = NULL;

	utm__image_draft_finish(&job->draft, &job->place, NULL, &error);
	utm__image_job_finish(job, error, NULL);
}

static void begin_create(UtmImageJob *job)
{
	UtmError *error = NULL;

	if (utm__image_draft_new(&job->place, &job->draft, &error) < 0) {
		utm__image_job_finish(job, error, NULL);
		return;
	}
	g_autofree char *file = utm__image_job_draft_file(job);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, job->size_bytes);
	const char *arguments[] = {
		"create", "-q", "-f", utm_image_format_get_name(job->format), "-o", preallocations[job->create.preallocation],
		file,     size, NULL
	};
	utm__image_job_run(job, arguments, false, on_created);
}

static int check_options(UtmImageCreateOptions *checked, const UtmImageCreateOptions *options, UtmError **error)
{
	int result = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmImageCreateOptions", error);

	if (result == 0 && checked->preallocation > UTM_IMAGE_PREALLOCATION_FULL)
		result =
			utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "preallocation %u does not exist", checked->preallocation);
	if (result == 0)
		result = utm__image_check_format(checked->format, "UtmImageCreateOptions.format", error);
	return result == 0 ? utm__check_timeout(checked->timeout_ms, "UtmImageCreateOptions.timeout_ms", error) : result;
}

static uint32_t choose_format(uint32_t wanted, const char *name)
{
	const char *named = utm__image_format_from_name(name);

	return wanted ? wanted : named ? utm_image_format_from_name(named) : UTM_IMAGE_FORMAT_QCOW2;
}

static int check_kind(uint32_t format, uint32_t preallocation, UtmError **error)
{
	if (format != UTM_IMAGE_FORMAT_RAW && format != UTM_IMAGE_FORMAT_QCOW2)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "new images are raw or qcow2, not %s",
		                 utm_image_format_get_name(format));
	if (format == UTM_IMAGE_FORMAT_RAW && preallocation == UTM_IMAGE_PREALLOCATION_METADATA)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "raw images have no tables to set aside");
	return 0;
}

static gint64 choose_timeout(const UtmImageCreateOptions *options)
{
	bool fills = options->preallocation >= UTM_IMAGE_PREALLOCATION_FALLOC;

	return options->timeout_ms ? options->timeout_ms : fills ? -1 : CREATE_MS;
}

int utm__image_create_request(UtmContext *context, UtmImagePlace *place, guint64 size_bytes,
                              const UtmImageCreateOptions *options, UtmRequest **ret_request, UtmError **error)
{
	g_autoptr(UtmImageJob) job = utm__image_job_new(begin_create);
	struct stat info;

	job->create = (UtmImageCreateOptions)UTM_IMAGE_CREATE_OPTIONS_INIT;
	int result = utm__image_check_size(size_bytes, error);
	if (result == 0)
		result = check_options(&job->create, options, error);
	if (result < 0)
		return result;
	job->format = choose_format(job->create.format, place->name);
	result = check_kind(job->format, job->create.preallocation, error);
	if (result == 0 && fstatat(place->dir, place->name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
		UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_EXISTS, "is there already");
		result = utm__fail_take(error, utm__error_set_file(made, place->path));
	}
	if (result < 0)
		return result;
	job->size_bytes = size_bytes;
	job->place = *place;
	*place = (UtmImagePlace)UTM_IMAGE_PLACE_INIT;
	gint64 timeout_ms = choose_timeout(&job->create);
	UtmCancel *cancel = job->create.cancel;
	*ret_request =
		utm__image_job_request(g_steal_pointer(&job), context, NULL, "creating the image", timeout_ms, cancel);
	return 0;
}

/* --- public --- */

static int create_request(UtmContext *ctx, const char *path, uint64_t size_bytes, const UtmImageCreateOptions *options,
                          UtmRequest **ret, UtmError **error)
{
	g_auto(UtmImagePlace) place = UTM_IMAGE_PLACE_INIT;

	if (!ctx || !path || !*path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no context, or no path");
	int result = utm__image_place_find(path, false, &place, error);
	return result < 0 ? result : utm__image_create_request(ctx, &place, size_bytes, options, ret, error);
}

int utm_image_create(UtmContext *ctx, const char *path, uint64_t size_bytes, const UtmImageCreateOptions *options,
                     UtmError **error)
{
	g_autoptr(UtmRequest) request = NULL;
	int result = create_request(ctx, path, size_bytes, options, &request, error);

	return result < 0 ? result : utm__request_run(request, utm__image_job_start, error);
}

int utm_image_create_async(UtmContext *ctx, const char *path, uint64_t size_bytes, const UtmImageCreateOptions *options,
                           UtmImageDoneFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmRequest *request = NULL;
	int result = create_request(ctx, path, size_bytes, options, &request, error);

	return utm__image_submit(result, request, utm__image_deliver_done, (UtmAnyFunc)fn, user_data, free_fn);
}
