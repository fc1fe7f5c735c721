/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images written anew: locked, looked at, converted into a file that has no name, perhaps compared, flushed, and put in
 * place. Until that last step nothing has changed for anybody.
 */
#include "image/job.h"

#include "base/image-format.h"
#include "base/sized-struct.h"
#include "base/util.h"
#include "bundle/bundle-impl.h"
#include "core/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ALL_FLAGS (UTM_IMAGE_CONVERT_REPLACE | UTM_IMAGE_CONVERT_DROP_SNAPSHOTS | UTM_IMAGE_CONVERT_VERIFY)

static bool is_in_place(const UtmImageJob *job)
{
	return job->replaces && job->victim_fd < 0;
}

static const UtmImagePlace *get_target(const UtmImageJob *job)
{
	return job->destination.name ? &job->destination : &job->place;
}

/* --- the end --- */

/* Programs that write without QEMU's locks are seen by what they leave. */
static int check_unchanged(const UtmImageJob *job, UtmError **error)
{
	struct stat now;

	if (fstat(job->chain.links[0].fd, &now) == 0 && now.st_size == job->before.st_size &&
	    now.st_mtim.tv_sec == job->before.st_mtim.tv_sec && now.st_mtim.tv_nsec == job->before.st_mtim.tv_nsec)
		return 0;
	UtmError *made = utm__error_new(UTM_ERROR_IMAGE_IN_USE, "the image was written to while it was read");
	return utm__fail_take(error, utm__error_set_file(made, job->place.path));
}

static void complete(UtmImageJob *job)
{
	UtmError *error = NULL;
	int result = check_unchanged(job, &error);

	if (result == 0)
		result = utm__image_draft_finish(&job->draft, get_target(job), job->replaces ? &job->former : NULL, &error);
	if (result == 0)
		utm__progress_set_done(job->convert.progress, job->virtual_size_bytes);
	utm__image_job_finish(job, error, NULL);
}

static void on_compared(UtmImageJob *job, bool is_sure, const char *output)
{
	if (strstr(output, "Images are identical")) {
		complete(job);
		return;
	}
	UtmError *made = utm__error_new(UTM_ERROR_PROCESS_EXITED, "the new image does not have the content of the old one");
	utm__image_job_finish(job, utm__error_set_file(made, get_target(job)->path), NULL);
}

static void run_compare(UtmImageJob *job)
{
	g_autofree char *image = utm__image_job_image_options(job);
	g_autofree char *file = utm__image_job_draft_file(job);
	g_autofree char *draft = g_strdup_printf("driver=%s,file.driver=file,file.filename=%s", job->draft_format, file);
	const char *arguments[] = { "compare", "--image-opts", image, draft, NULL };

	utm__image_job_run(job, arguments, false, on_compared);
}

static void on_converted(UtmImageJob *job, bool is_sure, const char *output)
{
	/* A host that takes our children's exit status away leaves only this way to know. */
	if (!is_sure || job->convert.flags & UTM_IMAGE_CONVERT_VERIFY)
		run_compare(job);
	else
		complete(job);
}

/* --- the work --- */

static char *make_creation_options(const UtmImageJob *job, const UtmImageInfo *info)
{
	GString *options = g_string_new(NULL);
	bool qcow2 = !strcmp(job->draft_format, "qcow2");

	if (qcow2 && is_in_place(job) && info->format == UTM_IMAGE_FORMAT_QCOW2 && info->cluster_size_bytes)
		g_string_append_printf(options, "cluster_size=%" G_GUINT64_FORMAT, info->cluster_size_bytes);
	if (job->convert.compression == UTM_IMAGE_COMPRESSION_ZSTD)
		g_string_append_printf(options, "%scompression_type=zstd", options->len ? "," : "");
	return g_string_free(options, FALSE);
}

static void run_convert(UtmImageJob *job, const UtmImageInfo *info)
{
	g_autoptr(GPtrArray) arguments = g_ptr_array_new();
	g_autofree char *creation = make_creation_options(job, info);
	g_autofree char *image = utm__image_job_image_options(job);
	g_autofree char *file = utm__image_job_draft_file(job);
	/* Not "unsafe", the default: all is on the disk before it says that it is done. */
	static const char *const fixed[] = { "convert", "-p", "-t", "writeback", "-O" };

	for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++)
		g_ptr_array_add(arguments, (char *)fixed[i]);
	g_ptr_array_add(arguments, (char *)job->draft_format);
	if (job->convert.compression)
		g_ptr_array_add(arguments, "-c");
	if (*creation) {
		g_ptr_array_add(arguments, "-o");
		g_ptr_array_add(arguments, creation);
	}
	g_ptr_array_add(arguments, "--image-opts");
	g_ptr_array_add(arguments, image);
	g_ptr_array_add(arguments, file);
	g_ptr_array_add(arguments, NULL);
	utm__image_job_run(job, (const char *const *)arguments->pdata, true, on_converted);
}

static int check_info(const UtmImageJob *job, const UtmImageInfo *info, UtmError **error)
{
	UtmError *made = NULL;

	if (info->encrypted) {
		made = utm__error_new(UTM_ERROR_NOT_SUPPORTED, "the image is encrypted");
		utm__error_set_remedy(made, "Convert it with qemu-img, which can be given the password.");
	} else if (is_in_place(job) && info->snapshot_count && !(job->convert.flags & UTM_IMAGE_CONVERT_DROP_SNAPSHOTS)) {
		made = utm__error_new(UTM_ERROR_INVALID_STATE, "%zu saved states inside the image would be lost",
		                      info->snapshot_count);
		utm__error_set_remedy(made, "Delete them first, or allow that they are lost.");
	}
	return made ? utm__fail_take(error, utm__error_set_file(made, job->place.path)) : 0;
}

static void on_told(UtmImageJob *job, bool is_sure, const char *output)
{
	UtmError *error = NULL;
	UtmImageInfo *info = utm__image_info_read(&job->chain.links[0], output, &error);
	int result = info ? check_info(job, info, &error) : UTM_ERROR_PROCESS_EXITED;

	if (result == 0)
		result = utm__image_draft_new(get_target(job), &job->draft, &error);
	if (result < 0) {
		utm__image_job_finish(job, error, NULL);
	} else {
		job->virtual_size_bytes = info->virtual_size_bytes;
		utm__progress_set_total(job->convert.progress, info->virtual_size_bytes);
		run_convert(job, info);
	}
	utm_image_info_unref(info);
}

/* --- the beginning --- */

static int fail_exists(const UtmImageJob *job, UtmError **error)
{
	UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_EXISTS, "is there already");

	utm__error_set_remedy(made, "Choose another name, or allow that it is replaced.");
	return utm__fail_take(error, utm__error_set_file(made, get_target(job)->path));
}

/* Another file that gives way: nobody must write to it either. */
static int open_victim(UtmImageJob *job, UtmError **error)
{
	const UtmImagePlace *target = &job->destination;

	if (!S_ISREG(job->former.st_mode))
		return utm__fail_take(error,
		                      utm__error_set_file(utm__error_new(UTM_ERROR_IO, "is not a regular file"), target->path));
	job->victim_fd = openat(target->dir, target->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (job->victim_fd < 0)
		return utm__fail_errno(error, errno, target->path, "cannot open what is to be replaced");
	return utm__image_lock(job->victim_fd, target->path, error);
}

static int look_at_target(UtmImageJob *job, UtmError **error)
{
	const UtmImagePlace *target = get_target(job);

	if (fstatat(target->dir, target->name, &job->former, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (job->destination.name && !(job->convert.flags & UTM_IMAGE_CONVERT_REPLACE))
		return fail_exists(job, error);
	job->replaces = true;
	bool same = job->former.st_dev == job->before.st_dev && job->former.st_ino == job->before.st_ino;
	return same ? 0 : open_victim(job, error);
}

static int choose_format(UtmImageJob *job, UtmError **error)
{
	const char *named = utm__image_format_from_name(get_target(job)->name);
	const char *format = utm_image_format_get_name(job->convert.format);

	if (!format)
		format = is_in_place(job) ? job->chain.links[0].format : named ? named : "qcow2";
	job->draft_format = format;
	if (job->convert.compression && strcmp(format, "qcow2") != 0)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "%s images are not compressed", format);
	return 0;
}

static void begin_convert(UtmImageJob *job)
{
	UtmError *error = NULL;
	int result = utm__image_job_open(job, 0, &error);

	if (result == 0)
		result = utm__image_lock(job->chain.links[0].fd, job->place.path, &error);
	if (result == 0)
		result = look_at_target(job, &error);
	if (result == 0)
		result = choose_format(job, &error);
	if (result < 0)
		utm__image_job_finish(job, error, NULL);
	else
		utm__image_job_run_info(job, on_told);
}

static int check_options(UtmImageConvertOptions *checked, const UtmImageConvertOptions *options, UtmError **error)
{
	int result = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmImageConvertOptions", error);

	if (result == 0 && checked->flags & ~(uint32_t)ALL_FLAGS)
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "convert flags 0x%x do not exist", checked->flags);
	if (result == 0 && checked->compression > UTM_IMAGE_COMPRESSION_ZSTD)
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "compression %u does not exist", checked->compression);
	if (result == 0)
		result = utm__image_check_format(checked->source_format, "UtmImageConvertOptions.source_format", error);
	if (result == 0)
		result = utm__image_check_format(checked->format, "UtmImageConvertOptions.format", error);
	return result == 0 ? utm__check_timeout(checked->timeout_ms, "UtmImageConvertOptions.timeout_ms", error) : result;
}

int utm__image_convert_request(UtmContext *context, UtmBundle *held, UtmImagePlace *place, UtmImagePlace *destination,
                               const UtmImageConvertOptions *options, UtmRequest **ret_request, UtmError **error)
{
	UtmImageConvertOptions checked = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	int result = check_options(&checked, options, error);

	if (result < 0)
		return result;
	UtmImageJob *job = utm__image_job_new(begin_convert);
	job->convert = checked;
	utm_progress_ref(job->convert.progress);
	job->format = checked.source_format;
	job->held = held;
	job->place = *place;
	job->destination = *destination;
	*place = (UtmImagePlace)UTM_IMAGE_PLACE_INIT;
	*destination = (UtmImagePlace)UTM_IMAGE_PLACE_INIT;
	*ret_request = utm__image_job_request(job, context, held, "converting the image",
	                                      checked.timeout_ms ? checked.timeout_ms : -1, checked.cancel);
	return 0;
}

/* --- public --- */

static int convert_request(UtmContext *ctx, const char *source, const char *destination,
                           const UtmImageConvertOptions *options, UtmRequest **ret, UtmError **error)
{
	g_auto(UtmImagePlace) place = UTM_IMAGE_PLACE_INIT;
	g_auto(UtmImagePlace) target = UTM_IMAGE_PLACE_INIT;

	if (!ctx || !source || !*source || (destination && !*destination))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no context, or no path");
	int result = utm__image_place_find(source, true, &place, error);
	if (result == 0 && destination)
		result = utm__image_place_find(destination, false, &target, error);
	return result < 0 ? result : utm__image_convert_request(ctx, NULL, &place, &target, options, ret, error);
}

int utm_image_convert(UtmContext *ctx, const char *source, const char *destination,
                      const UtmImageConvertOptions *options, UtmError **error)
{
	g_autoptr(UtmRequest) request = NULL;
	int result = convert_request(ctx, source, destination, options, &request, error);

	return result < 0 ? result : utm__request_run(request, utm__image_job_start, error);
}

int utm_image_convert_async(UtmContext *ctx, const char *source, const char *destination,
                            const UtmImageConvertOptions *options, UtmImageDoneFunc fn, void *user_data,
                            UtmFreeFunc free_fn, UtmError **error)
{
	UtmRequest *request = NULL;
	int result = convert_request(ctx, source, destination, options, &request, error);

	return utm__image_submit(result, request, utm__image_deliver_done, (UtmAnyFunc)fn, user_data, free_fn);
}
