/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl image: disk images as files. */
#include "work.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char *format_name, *from_name, *to_name, *preallocation_name, *compression_name;
static bool as_json, shrink, replace, verify, drop_snapshots;

/* --- info --- */

static const char *name_of(uint32_t format)
{
	const char *name = utm_image_format_get_name(format);

	return name ? name : "unknown";
}

static void print_member(const char *name, const char *value)
{
	if (!value)
		return;
	printf(",\n  \"%s\": ", name);
	print_json_string(stdout, value);
}

static void print_json(const UtmImageInfo *info)
{
	printf("{\n  \"path\": ");
	print_json_string(stdout, info->path);
	print_member("format", name_of(info->format));
	print_member("contentFormat", utm_image_format_get_name(info->content_format));
	printf(",\n  \"virtualSizeBytes\": %" PRIu64 ",\n  \"lengthBytes\": %" PRIu64 ",\n  \"allocatedBytes\": %" PRIu64,
	       info->virtual_size_bytes, info->length_bytes, info->allocated_bytes);
	if (info->cluster_size_bytes)
		printf(",\n  \"clusterSizeBytes\": %" PRIu64, info->cluster_size_bytes);
	print_member("backingFile", info->backing_file);
	print_member("backingFormat", info->backing_format);
	printf(",\n  \"encrypted\": %s,\n  \"dirty\": %s,\n  \"corrupt\": %s,\n  \"inUse\": %s,\n  \"snapshots\": [",
	       info->encrypted ? "true" : "false", info->dirty ? "true" : "false", info->corrupt ? "true" : "false",
	       info->in_use ? "true" : "false");
	for (size_t i = 0; i < info->snapshot_count; i++) {
		printf("%s\n    {\"id\": ", i ? "," : "");
		print_json_string(stdout, info->snapshots[i]->id);
		printf(", \"name\": ");
		print_json_string(stdout, info->snapshots[i]->name);
		printf(", \"date\": %" PRId64 ", \"vmClockNs\": %" PRIu64 ", \"vmStateBytes\": %" PRIu64 "}",
		       info->snapshots[i]->date_s, info->snapshots[i]->vm_clock_ns, info->snapshots[i]->vm_state_bytes);
	}
	printf("%s]\n}\n", info->snapshot_count ? "\n  " : "");
}

static void print_named(const char *name, const char *value)
{
	printf("%s", name);
	print_plain(stdout, value);
	printf("\n");
}

static void print_snapshots(const UtmImageInfo *info)
{
	for (size_t i = 0; i < info->snapshot_count; i++) {
		time_t when = (time_t)info->snapshots[i]->date_s;
		struct tm parts;
		char text[32] = "-";

		if (localtime_r(&when, &parts))
			strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
		printf("saved state: %s  ", text);
		print_plain(stdout, info->snapshots[i]->name);
		printf("\n");
	}
}

static void print_bytes(const char *name, uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double number = (double)bytes;
	size_t unit = 0;

	for (; number >= 1024; number /= 1024)
		unit++;
	printf(unit ? "%s: %" PRIu64 " bytes (%.1f %s)\n" : "%s: %" PRIu64 " bytes\n", name, bytes, number, units[unit]);
}

static void print_info(const UtmImageInfo *info)
{
	printf("format: %s\n", name_of(info->format));
	print_bytes("size", info->virtual_size_bytes);
	print_bytes("on disk", info->allocated_bytes);
	if (info->backing_file)
		print_named("based on: ", info->backing_file);
	print_snapshots(info);
	printf("%s%s%s%s", info->encrypted ? "encrypted\n" : "", info->dirty ? "not closed properly\n" : "",
	       info->corrupt ? "damaged\n" : "", info->in_use ? "in use\n" : "");
	if (info->content_format && info->content_format != info->format)
		printf("its first bytes look like %s: --format says so where you know that it is\n", name_of(info->content_format));
}

static int run_info(const Command *command, char **operands)
{
	UtmImageInspectOptions options = UTM_IMAGE_INSPECT_OPTIONS_INIT;
	UtmError *error = NULL;
	UtmImageInfo *info = NULL;

	if (!parse_format(command, "--format", format_name, &options.format))
		return EXIT_USAGE;
	UtmContext *ctx = utm_context_new(NULL, &error);
	if (!ctx || utm_image_inspect(ctx, operands[0], &options, &info, &error) < 0) {
		utm_context_unref(ctx);
		return report(operands[0], error);
	}
	if (as_json)
		print_json(info);
	else
		print_info(info);
	utm_image_info_unref(info);
	utm_context_unref(ctx);
	return EXIT_OK;
}

/* --- create, resize --- */

static bool parse_preallocation(const Command *command, uint32_t *ret)
{
	static const char *const names[] = { "off", "metadata", "falloc", "full" };

	for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!preallocation_name || strcmp(preallocation_name, names[i]) == 0) {
			*ret = i;
			return true;
		}
	misused(command, "--preallocation is off, metadata, falloc or full, not %s", preallocation_name);
	return false;
}

static int run_create(const Command *command, char **operands)
{
	UtmImageCreateOptions options = UTM_IMAGE_CREATE_OPTIONS_INIT;
	UtmError *error = NULL;
	uint64_t bytes;
	Work work;

	if (!parse_format(command, "--format", format_name, &options.format) ||
	    !parse_preallocation(command, &options.preallocation))
		return EXIT_USAGE;
	if (!parse_size(operands[1], &bytes))
		return misused(command, "%s is no size: 512M, 20G, or bytes", operands[1]);
	int status = EXIT_OPERATION;
	if (work_begin(&work, operands[0])) {
		options.cancel = work.cancel;
		int result = utm_image_create_async(work.ctx, operands[0], bytes, &options, work_done, &work, NULL, &error);
		status = work_wait(&work, result, error);
	}
	work_end(&work);
	return status;
}

static int run_resize(const Command *command, char **operands)
{
	UtmImageResizeOptions options = UTM_IMAGE_RESIZE_OPTIONS_INIT;
	UtmError *error = NULL;
	uint64_t bytes;
	Work work;

	if (!parse_format(command, "--format", format_name, &options.format))
		return EXIT_USAGE;
	if (!parse_size(operands[1], &bytes))
		return misused(command, "%s is no size: 512M, 20G, or bytes", operands[1]);
	options.flags = shrink ? UTM_IMAGE_RESIZE_SHRINK : 0;
	int status = EXIT_OPERATION;
	if (work_begin(&work, operands[0])) {
		options.cancel = work.cancel;
		int result = utm_image_resize_async(work.ctx, operands[0], bytes, &options, work_done, &work, NULL, &error);
		status = work_wait(&work, result, error);
	}
	work_end(&work);
	return status;
}

/* --- convert, compact --- */

static int convert(const char *source, const char *destination, UtmImageConvertOptions *options)
{
	UtmError *error = NULL;
	int status = EXIT_OPERATION;
	Work work;

	options->flags = (replace ? UTM_IMAGE_CONVERT_REPLACE : 0) | (verify ? UTM_IMAGE_CONVERT_VERIFY : 0) |
	                 (drop_snapshots ? UTM_IMAGE_CONVERT_DROP_SNAPSHOTS : 0);
	if (work_begin(&work, source)) {
		options->cancel = work.cancel;
		options->progress = work.progress;
		int result = utm_image_convert_async(work.ctx, source, destination, options, work_done, &work, NULL, &error);
		status = work_wait(&work, result, error);
	}
	work_end(&work);
	return status;
}

static int run_convert(const Command *command, char **operands)
{
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;

	if (!parse_format(command, "--from", from_name, &options.source_format) ||
	    !parse_format(command, "--to", to_name, &options.format) ||
	    !parse_compression(command, compression_name, &options.compression))
		return EXIT_USAGE;
	return convert(operands[0], operands[1], &options);
}

static int run_compact(const Command *command, char **operands)
{
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;

	if (!parse_format(command, "--format", format_name, &options.source_format) ||
	    !parse_compression(command, compression_name, &options.compression))
		return EXIT_USAGE;
	return convert(operands[0], NULL, &options);
}

/* --- commands --- */

static const Option info_options[] = {
	{ .name = "--format", .value = &format_name },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

static const Option create_options[] = {
	{ .name = "--format", .value = &format_name },
	{ .name = "--preallocation", .value = &preallocation_name },
	{ 0 },
};

static const Option resize_options[] = {
	{ .name = "--format", .value = &format_name },
	{ .name = "--shrink", .present = &shrink },
	{ 0 },
};

static const Option convert_options[] = {
	{ .name = "--from", .value = &from_name },
	{ .name = "--to", .value = &to_name },
	{ .name = "--compress", .value = &compression_name },
	{ .name = "--replace", .present = &replace },
	{ .name = "--verify", .present = &verify },
	{ 0 },
};

static const Option compact_options[] = {
	{ .name = "--format", .value = &format_name },
	{ .name = "--compress", .value = &compression_name },
	{ .name = "--drop-snapshots", .present = &drop_snapshots },
	{ .name = "--verify", .present = &verify },
	{ 0 },
};

#define FORMATS                                                                                                        \
	"A format is raw, qcow2, vmdk, vdi, vhdx or vpc. Without one the file's name says it; for other names qcow2 where\n" \
	"the first bytes are those of qcow2, raw otherwise.\n"

const Command image_info_command = {
	.name = "image info",
	.arguments = "FILE [--format F] [--json]",
	.summary = "tell what a disk image is: format, sizes, what it is based on, saved states",
	.notes = FORMATS,
	.options = info_options,
	.least = 1,
	.most = 1,
	.run = run_info,
};

const Command image_create_command = {
	.name = "image create",
	.arguments = "FILE SIZE [--format F] [--preallocation off|metadata|falloc|full]",
	.summary = "make an empty disk image of SIZE: 512M, 20G, or bytes",
	.notes = "A new image is qcow2 or raw, as its name says, else qcow2. Nothing is overwritten.\n",
	.options = create_options,
	.least = 2,
	.most = 2,
	.run = run_create,
};

const Command image_resize_command = {
	.name = "image resize",
	.arguments = "FILE SIZE [--format F] [--shrink]",
	.summary = "give a disk image another size; with --shrink also a smaller one, and what is behind it is lost",
	.notes = FORMATS,
	.options = resize_options,
	.least = 2,
	.most = 2,
	.run = run_resize,
};

const Command image_convert_command = {
	.name = "image convert",
	.arguments = "SOURCE FILE [--from F] [--to F] [--compress zlib|zstd] [--replace] [--verify]",
	.summary = "write the content of a disk image into a new one, of another format perhaps",
	.notes = FORMATS "The new image is of the format that its name says, else qcow2. It is there when it is complete; with --replace\n"
			 "what was there before gives way then. --verify reads both again and compares.\n",
	.options = convert_options,
	.least = 2,
	.most = 2,
	.run = run_convert,
};

const Command image_compact_command = {
	.name = "image compact",
	.arguments = "FILE [--format F] [--compress zlib|zstd] [--drop-snapshots] [--verify]",
	.summary = "write a disk image anew in its place, without what is empty",
	.notes = "The old content stays until the new file is complete. Saved states inside would be lost: --drop-snapshots allows it.\n",
	.options = compact_options,
	.least = 1,
	.most = 1,
	.run = run_compact,
};
