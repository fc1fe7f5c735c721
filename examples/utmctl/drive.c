/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl drive: the disks of a bundle, with their images. */
#include "work.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *format_name, *compression_name;
static bool as_json, shrink, verify, drop_snapshots;

/* --- drives --- */

/* A word of a drive; NULL where it has none. For utm_free(). */
static char *get(const UtmConfig *config, size_t index, const char *key)
{
	char path[64], *value = NULL;

	snprintf(path, sizeof path, "Drive[%zu].%s", index, key);
	return utm_config_get_string(config, path, &value, NULL) == 0 ? value : NULL;
}

/* "0", "1", ... or a file name of Data. The image's name, for utm_free(); NULL after having complained. */
static char *find_image(const UtmConfig *config, const char *word)
{
	size_t count = 0;
	char *rest;
	unsigned long index = strtoul(word, &rest, 10);

	if (!*word || *rest || *word < '0' || *word > '9')
		return strdup(word);
	(void)utm_config_get_count(config, "Drive", &count, NULL);
	char *name = index < count ? get(config, index, "ImageName") : NULL;
	char *copy = name ? strdup(name) : NULL;
	utm_free(name);
	if (!copy)
		complain(index < count ? "drive %s has no image" : "there is no drive %s\n        utmctl drive list tells the numbers",
		         word);
	return copy;
}

/* --- list --- */

static void print_sizes(const UtmImageInfo *info)
{
	if (info)
		printf(as_json ? ", \"format\": \"%s\", \"virtualSizeBytes\": %" PRIu64 ", \"allocatedBytes\": %" PRIu64
		               : "  %s  %" PRIu64 " bytes, %" PRIu64 " on disk",
		       utm_image_format_get_name(info->format), info->virtual_size_bytes, info->allocated_bytes);
}

static void print_drive(const UtmConfig *config, size_t index, const UtmImageInfo *info)
{
	static const char *const keys[] = { "ImageType", "Interface", "ImageName", "Identifier" };
	static const char *const members[] = { "imageType", "interface", "imageName", "identifier" };

	printf(as_json ? "%s\n  {\"index\": %zu" : "%s%zu", as_json && index ? "," : "", index);
	for (size_t i = 0; i < 4; i++) {
		char *value = get(config, index, keys[i]);
		if (as_json && value) {
			printf(", \"%s\": ", members[i]);
			print_json_string(stdout, value);
		} else if (!as_json && i < 3) {
			printf("  ");
			print_plain(stdout, value ? value : "-");
		}
		utm_free(value);
	}
	print_sizes(info);
	printf(as_json ? "}" : "\n");
}

/* Disks alone are looked at; what is wrong with one is told, and the others follow. */
static UtmImageInfo *inspect(UtmBundle *bundle, size_t index, int *status)
{
	const UtmConfig *config = utm_bundle_get_config(bundle);
	char *name = get(config, index, "ImageName"), *type = get(config, index, "ImageType"), *path = NULL;
	bool is_disk = name && (!type || strcmp(type, "Disk") == 0);
	UtmImageInfo *info = NULL;
	UtmError *error = NULL;

	if (is_disk && (utm_bundle_resolve(bundle, name, &path, &error) < 0 ||
	                utm_image_inspect(utm_bundle_get_context(bundle), path, NULL, &info, &error) < 0))
		*status = report(name, error);
	utm_free(name);
	utm_free(type);
	utm_free(path);
	return info;
}

static int run_list(const Command *command, char **operands)
{
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;
	UtmContext *ctx = utm_context_new(NULL, &error);
	int status = EXIT_OK;
	size_t count = 0;

	(void)command;
	if (!ctx || utm_bundle_open(ctx, operands[0], &bundle, &error) < 0 ||
	    utm_config_get_count(utm_bundle_get_config(bundle), "Drive", &count, &error) < 0)
		status = report(operands[0], error);
	printf("%s", as_json && status == EXIT_OK ? "[" : "");
	bool listed = status == EXIT_OK;
	for (size_t i = 0; listed && i < count; i++) {
		UtmImageInfo *info = inspect(bundle, i, &status);
		print_drive(utm_bundle_get_config(bundle), i, info);
		utm_image_info_unref(info);
	}
	printf("%s", as_json && listed ? "\n]\n" : "");
	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
	return status;
}

/* --- add --- */

static int run_add(const Command *command, char **operands)
{
	UtmImageCreateOptions options = UTM_IMAGE_CREATE_OPTIONS_INIT;
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;
	size_t index = 0;
	uint64_t bytes;

	if (!parse_format(command, "--format", format_name, &options.format))
		return EXIT_USAGE;
	if (!parse_size(operands[1], &bytes))
		return misused(command, "%s is no size: 512M, 20G, or bytes", operands[1]);
	UtmContext *ctx = utm_context_new(NULL, &error);
	int status = EXIT_OK;
	if (!ctx || utm_bundle_open(ctx, operands[0], &bundle, &error) < 0 ||
	    utm_bundle_add_disk(bundle, bytes, &options, &index, &error) < 0) {
		status = report(operands[0], error);
	} else {
		char *name = get(utm_bundle_get_config(bundle), index, "ImageName");
		printf("drive %zu: %s\n", index, name);
		utm_free(name);
	}
	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
	return status;
}

/* --- resize, compact --- */

typedef int (*StartFunc)(Work *work, UtmBundle *bundle, const char *name, UtmError **error);

static uint64_t wanted_bytes;
static uint32_t wanted_compression;

static int start_resize(Work *work, UtmBundle *bundle, const char *name, UtmError **error)
{
	UtmImageResizeOptions options = UTM_IMAGE_RESIZE_OPTIONS_INIT;

	options.flags = shrink ? UTM_IMAGE_RESIZE_SHRINK : 0;
	options.cancel = work->cancel;
	return utm_bundle_resize_image_async(bundle, name, wanted_bytes, &options, work_bundle_done, work, NULL, error);
}

static int start_compact(Work *work, UtmBundle *bundle, const char *name, UtmError **error)
{
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;

	options.compression = wanted_compression;
	options.flags = (verify ? UTM_IMAGE_CONVERT_VERIFY : 0) | (drop_snapshots ? UTM_IMAGE_CONVERT_DROP_SNAPSHOTS : 0);
	options.cancel = work->cancel;
	options.progress = work->progress;
	return utm_bundle_compact_image_async(bundle, name, &options, work_bundle_done, work, NULL, error);
}

static int work_on_image(char **operands, StartFunc start)
{
	UtmBundle *bundle = NULL;
	UtmError *error = NULL;
	int status = EXIT_OPERATION;
	Work work;

	if (work_begin(&work, operands[0])) {
		bool opened = utm_bundle_open(work.ctx, operands[0], &bundle, &error) == 0;
		char *name = opened ? find_image(utm_bundle_get_config(bundle), operands[1]) : NULL;
		if (!opened) {
			report(operands[0], error);
		} else if (name) {
			int result = start(&work, bundle, name, &error);
			status = work_wait(&work, result, error);
		}
		free(name);
	}
	utm_bundle_unref(bundle);
	work_end(&work);
	return status;
}

static int run_resize(const Command *command, char **operands)
{
	if (!parse_size(operands[2], &wanted_bytes))
		return misused(command, "%s is no size: 512M, 20G, or bytes", operands[2]);
	return work_on_image(operands, start_resize);
}

static int run_compact(const Command *command, char **operands)
{
	if (!parse_compression(command, compression_name, &wanted_compression))
		return EXIT_USAGE;
	return work_on_image(operands, start_compact);
}

/* --- commands --- */

static const Option list_options[] = {
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

static const Option add_options[] = {
	{ .name = "--format", .value = &format_name },
	{ 0 },
};

static const Option resize_options[] = {
	{ .name = "--shrink", .present = &shrink },
	{ 0 },
};

static const Option compact_options[] = {
	{ .name = "--compress", .value = &compression_name },
	{ .name = "--drop-snapshots", .present = &drop_snapshots },
	{ .name = "--verify", .present = &verify },
	{ 0 },
};

const Command drive_list_command = {
	.name = "drive list",
	.arguments = "BUNDLE [--json]",
	.summary = "list the drives of a bundle, and the sizes of its disks",
	.options = list_options,
	.least = 1,
	.most = 1,
	.run = run_list,
};

const Command drive_add_command = {
	.name = "drive add",
	.arguments = "BUNDLE SIZE [--format raw|qcow2]",
	.summary = "give a bundle one more disk, empty, of SIZE: 512M, 20G, or bytes",
	.options = add_options,
	.least = 2,
	.most = 2,
	.run = run_add,
};

const Command drive_resize_command = {
	.name = "drive resize",
	.arguments = "BUNDLE DRIVE SIZE [--shrink]",
	.summary = "give a disk of a bundle another size; with --shrink also a smaller one, and what is behind it is lost",
	.notes = "DRIVE is a number of `utmctl drive list`, or the name of an image.\n",
	.options = resize_options,
	.least = 3,
	.most = 3,
	.run = run_resize,
};

const Command drive_compact_command = {
	.name = "drive compact",
	.arguments = "BUNDLE DRIVE [--compress zlib|zstd] [--drop-snapshots] [--verify]",
	.summary = "write a disk's image anew in its place, without what is empty",
	.notes = "DRIVE is a number of `utmctl drive list`, or the name of an image. Saved states inside the image would be lost:\n"
		 "--drop-snapshots allows it.\n",
	.options = compact_options,
	.least = 2,
	.most = 2,
	.run = run_compact,
};
