/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that get another size, where they are: qemu-img makes what is new before it writes the header, so there is no
 * moment at which the old content would be lost.
 */
#include "image/job.h"

#include "base/sized-struct.h"
#include "bundle/bundle-impl.h"

#define RESIZE_MS (5 * 60000)

static void on_resized(UtmImageJob *job, bool is_sure, const char *output)
{
	utm__image_job_finish(job, NULL, NULL);
}

static UtmError *refuse_shrinking(const UtmImageJob *job, guint64 size_now)
{
	UtmError *error = utm__error_new(UTM_ERROR_INVALID_ARGUMENT,
	                                 "the disk has %" G_GUINT64_FORMAT " bytes, more than the %" G_GUINT64_FORMAT
	                                 " that it shall have: what is behind them would be lost",
	                                 size_now, job->size_bytes);

	utm__error_set_remedy(error, "Shrink partitions and file systems in the guest, then allow shrinking.");
	return utm__error_set_file(error, job->place.path);
}

static void on_told(UtmImageJob *job, bool is_sure, const char *output)
{
	UtmError *error = NULL;
	UtmImageInfo *info = utm__image_info_read(&job->chain.links[0], output, &error);
	guint64 size_now = info ? info->virtual_size_bytes : 0;

	utm_image_info_unref(info);
	if (!error && job->size_bytes < size_now && !(job->resize.flags & UTM_IMAGE_RESIZE_SHRINK))
		error = refuse_shrinking(job, size_now);
	if (error || job->size_bytes == size_now) {
		utm__image_job_finish(job, error, NULL);
		return;
	}
	g_autofree char *options = utm__image_job_image_options(job);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, job->size_bytes);
	const char *grow[] = { "resize", "-q", "--image-opts", options, size, NULL };
	const char *shrink[] = { "resize", "-q", "--shrink", "--image-opts", options, size, NULL };
	utm__image_job_run(job, job->size_bytes < size_now ? shrink : grow, false, on_resized);
}

static void begin_resize(UtmImageJob *job)
{
	UtmError *error = NULL;
	int result = utm__image_job_open(job, 0, &error);

	/* Only looked at: qemu-img itself has to write. It locks the image as any QEMU does. */
	if (result == 0)
		result = utm__image_lock(job->chain.links[0].fd, job->place.path, &error);
	if (result < 0) {
		utm__image_job_finish(job, error, NULL);
		return;
	}
	utm__image_unlock(job->chain.links[0].fd);
	utm__image_job_run_info(job, on_told);
}

static int check_options(UtmImageResizeOptions *checked, const UtmImageResizeOptions *options, UtmError **error)
{
	int result = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmImageResizeOptions", error);

	if (result == 0 && checked->flags & ~(uint32_t)UTM_IMAGE_RESIZE_SHRINK)
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "resize flags 0x%x do not exist", checked->flags);
	if (result == 0)
		result = utm__image_check_format(checked->format, "UtmImageResizeOptions.format", error);
	return result == 0 ? utm__check_timeout(checked->timeout_ms, "UtmImageResizeOptions.timeout_ms", error) : result;
}

int utm__image_resize_request(UtmContext *context, UtmBundle *held, UtmImagePlace *place, guint64 size_bytes,
                              const UtmImageResizeOptions *options, UtmRequest **ret_request, UtmError **error)
{
	g_autoptr(UtmImageJob) job = utm__image_job_new(begin_resize);

	job->resize = (UtmImageResizeOptions)UTM_IMAGE_RESIZE_OPTIONS_INIT;
	int result = utm__image_check_size(size_bytes, error);
	if (result == 0)
		result = check_options(&job->resize, options, error);
	if (result < 0)
		return result;
	job->size_bytes = size_bytes;
	job->format = job->resize.format;
	job->held = held;
	job->place = *place;
	*place = (UtmImagePlace)UTM_IMAGE_PLACE_INIT;
	gint64 timeout_ms = job->resize.timeout_ms ? job->resize.timeout_ms : RESIZE_MS;
	UtmCancel *cancel = job->resize.cancel;
	*ret_request =
		utm__image_job_request(g_steal_pointer(&job), context, held, "resizing the image", timeout_ms, cancel);
	return 0;
}

/* --- public --- */

static int resize_request(UtmContext *ctx, const char *path, uint64_t size_bytes, const UtmImageResizeOptions *options,
                          UtmRequest **ret, UtmError **error)
{
	g_auto(UtmImagePlace) place = UTM_IMAGE_PLACE_INIT;

	if (!ctx || !path || !*path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no context, or no path");
	int result = utm__image_place_find(path, true, &place, error);
	return result < 0 ? result : utm__image_resize_request(ctx, NULL, &place, size_bytes, options, ret, error);
}

int utm_image_resize(UtmContext *ctx, const char *path, uint64_t size_bytes, const UtmImageResizeOptions *options,
                     UtmError **error)
{
	g_autoptr(UtmRequest) request = NULL;
	int result = resize_request(ctx, path, size_bytes, options, &request, error);

	return result < 0 ? result : utm__request_run(request, utm__image_job_start, error);
}

int utm_image_resize_async(UtmContext *ctx, const char *path, uint64_t size_bytes, const UtmImageResizeOptions *options,
                           UtmImageDoneFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmRequest *request = NULL;
	int result = resize_request(ctx, path, size_bytes, options, &request, error);

	return utm__image_submit(result, request, utm__image_deliver_done, (UtmAnyFunc)fn, user_data, free_fn);
}
