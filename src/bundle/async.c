/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls on packages that take long, as jobs: what is wrong with the arguments is told at once, all else when it is over.
 * A new package is opened where the callback runs, for a bundle that nobody waits for any more could not be released here.
 */
#include "bundle/bundle-impl.h"

#include "core/job.h"

#include <string.h>

/* Everything that one of the calls may have as input; copies, but for what is counted. */
typedef struct Input {
	UtmBundle *bundle; /* NULL: a new one; the request holds it */
	char *path;        /* of the package, of the file that comes in, or of the directory */
	UtmConfig *config;
	UtmBundleCreateOptions create;
	UtmBundleCloneOptions clone;
	UtmBundleImportOptions import;
	UtmProgress *progress;
} Input;

static void input_free(void *data)
{
	Input *input = data;
	for (size_t i = 0; i < input->create.file_count; i++) {
		g_free((char *)input->create.files[i].source);
		g_free((char *)input->create.files[i].name);
	}
	g_free((UtmBundleSource *)input->create.files);
	g_free((char *)input->clone.name);
	utm_config_unref((UtmConfig *)input->clone.config);
	g_free((char *)input->import.name);
	utm_progress_unref(input->progress);
	utm_config_unref(input->config);
	g_free(input->path);
	g_free(input);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Input, input_free)

/* Where the process is now, for it may be elsewhere when the work begins. */
static char *dup_absolute(const char *path)
{
	g_autofree char *here = g_path_is_absolute(path) ? NULL : g_get_current_dir();
	return here ? g_build_filename(here, path, NULL) : g_strdup(path);
}

static Input *input_new(UtmBundle *bundle, const char *path, UtmProgress *progress)
{
	Input *input = g_new0(Input, 1);
	input->bundle = bundle;
	input->path = path ? dup_absolute(path) : NULL;
	input->progress = utm_progress_ref(progress);
	return input;
}

/* The rule of all calls with a callback: when they fail, nothing is called but free_fn. */
static int refuse(UtmError *made_taken, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	if (free_fn)
		free_fn(user_data);
	return utm__fail_take(error, made_taken);
}

static int refuse_null(const char *what, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	return refuse(utm__error_new(UTM_ERROR_INVALID_ARGUMENT, "%s must not be NULL", what), user_data, free_fn, error);
}

/* --- a new package, or a copy --- */

static void deliver_package(UtmRequest *request, UtmCallback *callback)
{
	UtmBundle *bundle = NULL;
	UtmError *failure = NULL;
	const UtmError *error = utm__request_get_error(request);
	UtmContext *context = utm__request_get_context(request);
	if (!callback->fn)
		return;
	if (!error && utm__bundle_open_real(context, utm__request_get_result(request), &bundle, &failure) < 0)
		error = failure;
	((UtmBundleMadeFunc)callback->fn)(context, bundle, error, callback->user_data);
	utm_error_unref(failure);
}

static int run_create(void *data, UtmCancel *cancel, void **ret_result, UtmError **error)
{
	Input *input = data;
	UtmBundleCreateOptions options = input->create;
	options.cancel = cancel;
	options.progress = input->progress;
	return utm__bundle_make(input->path, input->config, &options, (char **)ret_result, error);
}

static const UtmJobClass creating = { "making the package", run_create, input_free, g_free, deliver_package };

static void copy_files(UtmBundleCreateOptions *to, const UtmBundleCreateOptions *from)
{
	UtmBundleSource *files = g_new0(UtmBundleSource, from->file_count);
	for (size_t i = 0; i < from->file_count; i++) {
		files[i].source = dup_absolute(from->files[i].source);
		files[i].name = g_strdup(from->files[i].name);
	}
	to->files = files;
	to->file_count = from->file_count;
}

int utm_bundle_create_async(UtmContext *ctx, const char *path, const UtmConfig *config,
                            const UtmBundleCreateOptions *options, UtmBundleMadeFunc fn, void *user_data,
                            UtmFreeFunc free_fn, UtmError **error)
{
	UtmBundleCreateOptions checked = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	UtmError *wrong = NULL;
	if (!ctx || !path || !config)
		return refuse_null("context, path and configuration", user_data, free_fn, error);
	if (utm__check_create(&checked, options, &wrong) < 0)
		return refuse(wrong, user_data, free_fn, error);
	Input *input = input_new(NULL, path, checked.progress);
	input->config = utm_config_copy(config);
	copy_files(&input->create, &checked);
	utm__job_submit(ctx, NULL, &creating, input, checked.cancel,
	                utm__callback_new(ctx, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}

static int run_clone(void *data, UtmCancel *cancel, void **ret_result, UtmError **error)
{
	Input *input = data;
	UtmBundleCloneOptions options = input->clone;
	options.cancel = cancel;
	options.progress = input->progress;
	return utm__bundle_copy(input->bundle, input->path, &options, (char **)ret_result, error);
}

static const UtmJobClass cloning = { "copying the package", run_clone, input_free, g_free, deliver_package };

int utm_bundle_clone_async(UtmBundle *bundle, const char *path, const UtmBundleCloneOptions *options, UtmBundleMadeFunc fn,
                           void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmBundleCloneOptions checked = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	UtmError *wrong = NULL;
	if (!bundle || !path)
		return refuse_null("bundle and path", user_data, free_fn, error);
	if (utm__check_clone(&checked, options, &wrong) < 0)
		return refuse(wrong, user_data, free_fn, error);
	UtmContext *context = bundle->object.context;
	Input *input = input_new(bundle, path, checked.progress);
	input->clone.name = g_strdup(checked.name);
	input->clone.flags = checked.flags;
	input->clone.config = checked.config ? utm_config_copy(checked.config) : NULL;
	utm__job_submit(context, &bundle->object, &cloning, input, checked.cancel,
	                utm__callback_new(context, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}

/* --- a file --- */

static int run_import(void *data, UtmCancel *cancel, void **ret_result, UtmError **error)
{
	Input *input = data;
	UtmBundleImportOptions options = input->import;
	options.cancel = cancel;
	options.progress = input->progress;
	return utm__bundle_import(input->bundle, input->path, &options, (char **)ret_result, error);
}

static void deliver_import(UtmRequest *request, UtmCallback *callback)
{
	UtmBundle *bundle = (UtmBundle *)utm__request_get_object(request);
	if (callback->fn)
		((UtmBundleImportedFunc)callback->fn)(bundle, utm__request_get_result(request), utm__request_get_error(request),
		                                      callback->user_data);
}

static const UtmJobClass importing = { "copying the file", run_import, input_free, g_free, deliver_import };

int utm_bundle_import_async(UtmBundle *bundle, const char *source, const UtmBundleImportOptions *options,
                            UtmBundleImportedFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmBundleImportOptions checked = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
	UtmError *wrong = NULL;
	if (!bundle || !source || !*source)
		return refuse_null("bundle and source", user_data, free_fn, error);
	if (utm__check_import_options(&checked, options, source, &wrong) < 0)
		return refuse(wrong, user_data, free_fn, error);
	UtmContext *context = bundle->object.context;
	Input *input = input_new(bundle, source, checked.progress);
	input->import.name = g_strdup(checked.name);
	input->import.flags = checked.flags;
	utm__job_submit(context, &bundle->object, &importing, input, checked.cancel,
	                utm__callback_new(context, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}

/* --- sizes and lists --- */

static int run_size(void *data, UtmCancel *cancel, void **ret_result, UtmError **error)
{
	g_autofree UtmBundleSize *size = g_new(UtmBundleSize, 1);
	*size = (UtmBundleSize)UTM_BUNDLE_SIZE_INIT;
	int result = utm_bundle_get_size(((Input *)data)->bundle, size, error);
	if (result == 0)
		*ret_result = g_steal_pointer(&size);
	return result;
}

static void deliver_size(UtmRequest *request, UtmCallback *callback)
{
	UtmBundle *bundle = (UtmBundle *)utm__request_get_object(request);
	if (callback->fn)
		((UtmBundleSizeFunc)callback->fn)(bundle, utm__request_get_result(request), utm__request_get_error(request),
		                                  callback->user_data);
}

static const UtmJobClass measuring = { "measuring the package", run_size, input_free, g_free, deliver_size };

int utm_bundle_get_size_async(UtmBundle *bundle, UtmBundleSizeFunc fn, void *user_data, UtmFreeFunc free_fn,
                              UtmError **error)
{
	if (!bundle)
		return refuse_null("bundle", user_data, free_fn, error);
	UtmContext *context = bundle->object.context;
	utm__job_submit(context, &bundle->object, &measuring, input_new(bundle, NULL, NULL), NULL,
	                utm__callback_new(context, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}

static int run_list(void *data, UtmCancel *cancel, void **ret_result, UtmError **error)
{
	return utm_bundle_list_directory(((Input *)data)->path, (UtmBundleList **)ret_result, error);
}

static void deliver_list(UtmRequest *request, UtmCallback *callback)
{
	if (callback->fn)
		((UtmBundleListFunc)callback->fn)(utm__request_get_context(request), utm__request_steal_result(request),
		                                  utm__request_get_error(request), callback->user_data);
}

static void list_free(void *data)
{
	utm_bundle_list_free(data);
}

static const UtmJobClass listing = { "listing packages", run_list, input_free, list_free, deliver_list };

int utm_bundle_list_directory_async(UtmContext *ctx, const char *path, UtmBundleListFunc fn, void *user_data,
                                    UtmFreeFunc free_fn, UtmError **error)
{
	if (!ctx || !path)
		return refuse_null("context and path", user_data, free_fn, error);
	utm__job_submit(ctx, NULL, &listing, input_new(NULL, path, NULL), NULL,
	                utm__callback_new(ctx, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}
