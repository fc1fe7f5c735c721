/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of packages: found as a configuration names them, and worked on while the package is locked. */
#include "image/job.h"

#include "base/sized-struct.h"
#include "base/util.h"
#include "bundle/bundle-impl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* --- resize, compact --- */

static int find_image(UtmBundle *bundle, const char *name, UtmImagePlace *place, UtmError **error)
{
	const char *root_path = utm_bundle_get_path(bundle);
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	utm_autofd root = utm__open_root(root_path, error);
	int result = root < 0 ? root : utm__spot_find_data(root, root_path, name, &spot, error);

	if (result == 0 && !spot.exists)
		result = utm__fail_missing(spot.path, name, error);
	if (result < 0)
		return result;
	*place = (UtmImagePlace){ .dir = fcntl(spot.dir, F_DUPFD_CLOEXEC, 3),
		                      .dir_path = g_path_get_dirname(spot.path),
		                      .name = g_strdup(spot.name),
		                      .path = g_strdup(spot.path) };
	return place->dir < 0 ? utm__fail_errno(error, errno, spot.path, "cannot open its directory") : 0;
}

/* The image, and the package to itself. */
static int begin(UtmBundle *bundle, const char *name, const char *what, UtmImagePlace *place, UtmError **error)
{
	if (!bundle || !name)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and name must not be NULL");
	int result = utm__bundle_hold_alone(bundle, what, error);
	if (result < 0)
		return result;
	result = find_image(bundle, name, place, error);
	if (result < 0)
		utm__bundle_let_go_alone(bundle);
	return result;
}

static int resize_request(UtmBundle *bundle, const char *name, uint64_t size_bytes,
                          const UtmImageResizeOptions *options, UtmRequest **ret, UtmError **error)
{
	g_auto(UtmImagePlace) place = UTM_IMAGE_PLACE_INIT;
	int result = begin(bundle, name, "cannot resize an image", &place, error);

	if (result < 0)
		return result;
	result = utm__image_resize_request(NULL, bundle, &place, size_bytes, options, ret, error);
	if (result < 0)
		utm__bundle_let_go_alone(bundle);
	return result;
}

/* An image of another format needs another name, and the configuration to say so. */
static int check_compact(const UtmImageConvertOptions *options, UtmError **error)
{
	UtmImageConvertOptions checked = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	int result = utm__sized_copy(&checked, sizeof checked, sizeof checked, options, "UtmImageConvertOptions", error);

	if (result == 0 && (checked.format || checked.source_format))
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT,
		                   "an image of a package keeps the format that it has by its name");
	return result;
}

static int compact_request(UtmBundle *bundle, const char *name, const UtmImageConvertOptions *options, UtmRequest **ret,
                           UtmError **error)
{
	g_auto(UtmImagePlace) place = UTM_IMAGE_PLACE_INIT;
	g_auto(UtmImagePlace) nowhere = UTM_IMAGE_PLACE_INIT;
	int result = check_compact(options, error);

	if (result == 0)
		result = begin(bundle, name, "cannot compact an image", &place, error);
	if (result < 0)
		return result;
	result = utm__image_convert_request(NULL, bundle, &place, &nowhere, options, ret, error);
	if (result < 0)
		utm__bundle_let_go_alone(bundle);
	return result;
}

static void deliver(UtmRequest *request, UtmCallback *callback)
{
	if (callback->fn)
		((UtmBundleImageFunc)callback->fn)((UtmBundle *)utm__request_get_object(request),
		                                   utm__request_get_error(request), callback->user_data);
}

int utm_bundle_resize_image(UtmBundle *bundle, const char *name, uint64_t size_bytes,
                            const UtmImageResizeOptions *options, UtmError **error)
{
	g_autoptr(UtmRequest) request = NULL;
	int result = resize_request(bundle, name, size_bytes, options, &request, error);

	return result < 0 ? result : utm__request_run(request, utm__image_job_start, error);
}

int utm_bundle_resize_image_async(UtmBundle *bundle, const char *name, uint64_t size_bytes,
                                  const UtmImageResizeOptions *options, UtmBundleImageFunc fn, void *user_data,
                                  UtmFreeFunc free_fn, UtmError **error)
{
	UtmRequest *request = NULL;
	int result = resize_request(bundle, name, size_bytes, options, &request, error);

	return utm__image_submit(result, request, deliver, (UtmAnyFunc)fn, user_data, free_fn);
}

int utm_bundle_compact_image(UtmBundle *bundle, const char *name, const UtmImageConvertOptions *options,
                             UtmError **error)
{
	g_autoptr(UtmRequest) request = NULL;
	int result = compact_request(bundle, name, options, &request, error);

	return result < 0 ? result : utm__request_run(request, utm__image_job_start, error);
}

int utm_bundle_compact_image_async(UtmBundle *bundle, const char *name, const UtmImageConvertOptions *options,
                                   UtmBundleImageFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmRequest *request = NULL;
	int result = compact_request(bundle, name, options, &request, error);

	return utm__image_submit(result, request, deliver, (UtmAnyFunc)fn, user_data, free_fn);
}

/* --- add --- */

/* Apple's framework knows raw images alone. */
static int choose_format(const UtmConfig *config, UtmImageCreateOptions *options, UtmError **error)
{
	bool apple = utm_config_get_backend(config) == UTM_BACKEND_APPLE;

	if (apple && options->format != UTM_IMAGE_FORMAT_AUTO && options->format != UTM_IMAGE_FORMAT_RAW)
		return utm__fail(error, UTM_ERROR_NOT_SUPPORTED, "machines of the Apple back end have raw images only");
	if (options->format == UTM_IMAGE_FORMAT_AUTO)
		options->format = apple ? UTM_IMAGE_FORMAT_RAW : UTM_IMAGE_FORMAT_QCOW2;
	return 0;
}

static int create_image(UtmBundle *bundle, int data, const char *data_path, const char *name, uint64_t size_bytes,
                        const UtmImageCreateOptions *options, UtmError **error)
{
	g_autoptr(UtmRequest) request = NULL;
	g_auto(UtmImagePlace) place = { .dir = fcntl(data, F_DUPFD_CLOEXEC, 3),
		                            .dir_path = g_strdup(data_path),
		                            .name = g_strdup(name),
		                            .path = g_build_filename(data_path, name, NULL) };

	if (place.dir < 0)
		return utm__fail_errno(error, errno, data_path, "cannot open the directory");
	int result = utm__image_create_request(bundle->object.context, &place, size_bytes, options, &request, error);
	return result < 0 ? result : utm__request_run(request, utm__image_job_start, error);
}

static int save_drive(UtmBundle *bundle, const char *identifier, const char *name, size_t *ret_index, UtmError **error)
{
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	bool apple = utm_config_get_backend(config) == UTM_BACKEND_APPLE;
	/* Both are made here, of letters, digits, dashes and a dot. */
	g_autofree char *json =
		g_strdup_printf("{'Identifier':'%s','ImageName':'%s'%s}", identifier, name, apple ? "" : ",'ImageType':'Disk'");
	size_t count = 0;
	int result = utm_config_get_count(config, "Drive", &count, error);

	if (result == 0)
		result = utm_config_insert(config, "Drive", -1, json, error);
	if (result == 0)
		result = utm_bundle_save_config(bundle, config, error);
	if (result == 0 && ret_index)
		*ret_index = count;
	return result;
}

static int add_locked(UtmBundle *bundle, uint64_t size_bytes, UtmImageCreateOptions *options, size_t *ret_index,
                      UtmError **error)
{
	g_autofree char *uuid = g_uuid_string_random();
	g_autofree char *identifier = g_ascii_strup(uuid, -1);
	const char *root_path = utm_bundle_get_path(bundle);
	g_autofree char *data_path = NULL;
	utm_autofd data = -1;
	int result = choose_format(utm_bundle_get_config(bundle), options, error);
	if (result < 0)
		return result;
	utm_autofd root = utm__open_root(root_path, error);
	result = root < 0 ? root : utm__make_data(root, root_path, &data, &data_path, error);
	if (result < 0)
		return result;
	const char *extension = options->format == UTM_IMAGE_FORMAT_RAW ? "img" : "qcow2";
	g_autofree char *name = g_strdup_printf("%s.%s", identifier, extension);
	result = create_image(bundle, data, data_path, name, size_bytes, options, error);
	if (result < 0)
		return result;
	result = save_drive(bundle, identifier, name, ret_index, error);
	if (result < 0)
		(void)unlinkat(data, name, 0);
	return result;
}

int utm_bundle_add_disk(UtmBundle *bundle, uint64_t size_bytes, const UtmImageCreateOptions *options, size_t *ret_index,
                        UtmError **error)
{
	UtmImageCreateOptions checked = UTM_IMAGE_CREATE_OPTIONS_INIT;
	int result = utm__sized_copy(&checked, sizeof checked, sizeof checked, options, "UtmImageCreateOptions", error);

	if (result == 0 && !bundle)
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no bundle");
	if (result == 0)
		result = utm_bundle_lock(bundle, error);
	if (result < 0)
		return result;
	utm__bundle_count_import(bundle, 1);
	result = add_locked(bundle, size_bytes, &checked, ret_index, error);
	utm__bundle_count_import(bundle, -1);
	(void)utm_bundle_unlock(bundle, NULL);
	return result;
}
