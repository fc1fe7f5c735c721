/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image is: the formats' names, the answer of qemu-img, and the call that asks for it. */
#include "image/job.h"

#include "base/sized-struct.h"

#include <string.h>

#define INSPECT_MS 30000

static const char *const format_names[] = {
	[UTM_IMAGE_FORMAT_RAW] = "raw", [UTM_IMAGE_FORMAT_QCOW2] = "qcow2", [UTM_IMAGE_FORMAT_VMDK] = "vmdk",
	[UTM_IMAGE_FORMAT_VDI] = "vdi", [UTM_IMAGE_FORMAT_VHDX] = "vhdx",   [UTM_IMAGE_FORMAT_VPC] = "vpc",
};

const char *utm_image_format_get_name(uint32_t format)
{
	return format < G_N_ELEMENTS(format_names) ? format_names[format] : NULL;
}

uint32_t utm_image_format_from_name(const char *name)
{
	for (uint32_t i = 1; name && i < G_N_ELEMENTS(format_names); i++)
		if (!strcmp(name, format_names[i]))
			return i;
	return UTM_IMAGE_FORMAT_AUTO;
}

/* --- the answer --- */

typedef struct Info {
	UtmImageInfo public;
	gint refs;
	GStringChunk *texts;
	UtmImageSnapshot *snapshots;
	const UtmImageSnapshot **list;
} Info;

UtmImageInfo *utm_image_info_ref(UtmImageInfo *info)
{
	if (info)
		g_atomic_int_inc(&((Info *)info)->refs);
	return info;
}

void utm_image_info_unref(UtmImageInfo *public)
{
	Info *info = (Info *)public;

	if (!info || !g_atomic_int_dec_and_test(&info->refs))
		return;
	g_string_chunk_free(info->texts);
	g_free(info->snapshots);
	g_free(info->list);
	g_free(info);
}

static guint64 get_uint(const UtmValue *object, const char *name)
{
	return utm_value_get_uint(utm_value_get_member(object, name));
}

/* NULL where it is absent. */
static const char *keep_text(Info *info, const UtmValue *object, const char *name)
{
	const char *text = utm_value_get_string(utm_value_get_member(object, name));

	return text ? g_string_chunk_insert(info->texts, text) : NULL;
}

static UtmImageSnapshot read_snapshot(Info *info, const UtmValue *value)
{
	const char *id = keep_text(info, value, "id"), *name = keep_text(info, value, "name");

	return (UtmImageSnapshot){ .size = sizeof(UtmImageSnapshot),
		                       .id = id ? id : "",
		                       .name = name ? name : "",
		                       .date_s = utm_value_get_int(utm_value_get_member(value, "date-sec")),
		                       .vm_clock_ns = get_uint(value, "vm-clock-sec") * G_GUINT64_CONSTANT(1000000000) +
		                                      get_uint(value, "vm-clock-nsec"),
		                       .vm_state_bytes = get_uint(value, "vm-state-size") };
}

static void read_snapshots(Info *info, const UtmValue *list)
{
	gsize count = utm_value_get_kind(list) == UTM_VALUE_ARRAY ? utm_value_get_count(list) : 0;

	info->snapshots = g_new0(UtmImageSnapshot, count + 1);
	info->list = g_new0(const UtmImageSnapshot *, count + 1);
	for (gsize i = 0; i < count; i++) {
		info->snapshots[i] = read_snapshot(info, utm_value_get_item(list, i));
		info->list[i] = &info->snapshots[i];
	}
	info->public.snapshots = info->list;
	info->public.snapshot_count = count;
}

static void read_file(Info *info, const UtmImageLink *link)
{
	g_auto(UtmImageHead) head = { 0 };
	struct stat status = { 0 };

	utm__image_head_read(link->fd, &head);
	(void)fstat(link->fd, &status);
	info->public.path = g_string_chunk_insert(info->texts, link->path);
	info->public.format = utm_image_format_from_name(link->format);
	info->public.content_format = utm_image_format_from_name(head.look);
	info->public.length_bytes = (guint64)status.st_size;
	info->public.allocated_bytes = (guint64)status.st_blocks * 512;
	info->public.in_use = utm__image_is_written(link->fd);
}

UtmImageInfo *utm__image_info_read(const UtmImageLink *link, const char *json, UtmError **error)
{
	UtmValue *answer = NULL;

	if (utm_value_from_json(json, &answer, NULL) < 0 || !utm_value_get_member(answer, "virtual-size")) {
		utm_value_free(answer);
		utm__fail(error, UTM_ERROR_PROCESS_EXITED, "what qemu-img says about the image cannot be read");
		return NULL;
	}
	const UtmValue *special = utm_value_get_member(utm_value_get_member(answer, "format-specific"), "data");
	Info *info = g_new0(Info, 1);
	info->refs = 1;
	info->texts = g_string_chunk_new(256);
	read_file(info, link);
	info->public.size = sizeof(UtmImageInfo);
	info->public.virtual_size_bytes = get_uint(answer, "virtual-size");
	info->public.cluster_size_bytes = get_uint(answer, "cluster-size");
	info->public.backing_file = keep_text(info, answer, "backing-filename");
	info->public.backing_format = keep_text(info, answer, "backing-filename-format");
	info->public.encrypted = utm_value_get_bool(utm_value_get_member(answer, "encrypted"));
	info->public.dirty = utm_value_get_bool(utm_value_get_member(answer, "dirty-flag"));
	info->public.corrupt = utm_value_get_bool(utm_value_get_member(special, "corrupt"));
	read_snapshots(info, utm_value_get_member(answer, "snapshots"));
	utm_value_free(answer);
	return &info->public;
}

/* --- the call --- */

static void on_told(UtmImageJob *job, bool is_sure, const char *output)
{
	UtmError *error = NULL;
	UtmImageInfo *info = utm__image_info_read(&job->chain.links[0], output, &error);

	utm__image_job_finish(job, error, info);
}

static void begin_inspect(UtmImageJob *job)
{
	UtmError *error = NULL;

	if (utm__image_job_open(job, UTM_IMAGE_CHAIN_FIRST_ONLY, &error) < 0)
		utm__image_job_finish(job, error, NULL);
	else
		utm__image_job_run_info(job, on_told);
}

static int check_inspect(UtmImageInspectOptions *checked, const UtmImageInspectOptions *options, UtmError **error)
{
	int result = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmImageInspectOptions", error);

	if (result == 0 && checked->reserved)
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "UtmImageInspectOptions.reserved is not zero");
	if (result == 0)
		result = utm__image_check_format(checked->format, "UtmImageInspectOptions.format", error);
	return result == 0 ? utm__check_timeout(checked->timeout_ms, "UtmImageInspectOptions.timeout_ms", error) : result;
}

static int inspect_request(UtmContext *ctx, const char *path, const UtmImageInspectOptions *options, UtmRequest **ret,
                           UtmError **error)
{
	UtmImageInspectOptions checked = UTM_IMAGE_INSPECT_OPTIONS_INIT;
	g_autoptr(UtmImageJob) job = utm__image_job_new(begin_inspect);

	if (!ctx || !path || !*path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no context, or no path");
	int result = check_inspect(&checked, options, error);
	if (result == 0)
		result = utm__image_place_find(path, true, &job->place, error);
	if (result < 0)
		return result;
	job->format = checked.format;
	*ret = utm__image_job_request(g_steal_pointer(&job), ctx, NULL, "inspecting the image",
	                              checked.timeout_ms ? checked.timeout_ms : INSPECT_MS, checked.cancel);
	return 0;
}

int utm_image_inspect(UtmContext *ctx, const char *path, const UtmImageInspectOptions *options, UtmImageInfo **ret_info,
                      UtmError **error)
{
	g_autoptr(UtmRequest) request = NULL;

	if (!ret_info)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "nowhere to put the answer");
	int result = inspect_request(ctx, path, options, &request, error);
	if (result == 0)
		result = utm__request_run(request, utm__image_job_start, error);
	if (result == 0)
		*ret_info = utm__request_steal_result(request);
	return result;
}

static void deliver_info(UtmRequest *request, UtmCallback *callback)
{
	if (callback->fn)
		((UtmImageInfoFunc)callback->fn)(utm__request_get_context(request), utm__request_get_result(request),
		                                 utm__request_get_error(request), callback->user_data);
}

int utm_image_inspect_async(UtmContext *ctx, const char *path, const UtmImageInspectOptions *options,
                            UtmImageInfoFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmRequest *request = NULL;
	int result = inspect_request(ctx, path, options, &request, error);

	return utm__image_submit(result, request, deliver_info, (UtmAnyFunc)fn, user_data, free_fn);
}
