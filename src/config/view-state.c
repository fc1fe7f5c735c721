/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view.plist of older packages to the keys of the registry that UTM now keeps on each Mac. libutm has no registry: it
 * hands the values over, for whoever keeps such things.
 */
#include "config/migrate.h"

#include "base/sized-struct.h"
#include "schema/plist-codec.h"

#include <math.h>
#include <string.h>

static void add(UtmValue *object, const char *key, UtmValue *value_taken)
{
	utm__value_append(object, key, strlen(key), value_taken);
}

static UtmValue *new_bool(bool boolean)
{
	UtmValue *value = utm__value_new_null();
	value->kind = UTM_TOKEN_BOOL;
	value->as.boolean = boolean;
	return value;
}

static UtmValue *new_number(double number)
{
	UtmValue *value = utm__value_new_null();
	value->kind = UTM_TOKEN_REAL;
	value->as.number = number;
	return value;
}

/* In the form that bytes have in JSON, which is what programs see of them. */
static UtmValue *new_data(const UtmValue *data)
{
	g_autofree char *base64 = data->as.text.length
	                              ? g_base64_encode((const guchar *)data->as.text.bytes, data->as.text.length)
	                              : g_strdup("");
	UtmValue *value = utm__value_new_object();
	add(value, UTM_VALUE_WRAP_DATA, utm__value_new_string(base64, strlen(base64)));
	return value;
}

static UtmValue *new_file(const UtmValue *bookmark, const char *path)
{
	UtmValue *file = utm__value_new_object();
	add(file, "Bookmark", new_data(bookmark));
	add(file, "Path", utm__value_new_string(path, strlen(path)));
	add(file, "ReadOnly", new_bool(false));
	utm__value_sort(file);
	return file;
}

/* What is no number of pixels is as if it was not there. */
static double pixels_of(double number)
{
	return isfinite(number) ? number : 0;
}

/* A window as it is when nothing says otherwise is not worth an entry. */
static void add_window(UtmValue *state, const UtmLegacyView *view, bool exact)
{
	double x = pixels_of(view->display_origin_x), y = pixels_of(view->display_origin_y);
	double scale = pixels_of(view->display_scale) == 0 ? 1 : view->display_scale;
	bool toolbar = view->has_show_toolbar ? view->show_toolbar : !exact;
	bool keyboard = exact ? toolbar : view->show_keyboard;
	if (scale == 1 && x == 0 && y == 0 && toolbar && !keyboard)
		return;
	UtmValue *window = utm__value_new_object(), *windows = utm__value_new_object(), *origin = utm__value_new_array();
	utm__value_push(origin, new_number(x));
	utm__value_push(origin, new_number(y));
	add(window, "DisplayZoomLocked", new_bool(true));
	add(window, "KeyboardVisible", new_bool(keyboard));
	add(window, "Origin", origin);
	add(window, "Scale", new_number(scale));
	add(window, "ToolbarVisible", new_bool(toolbar));
	utm__value_sort(window);
	add(windows, "0", window);
	add(state, "WindowSettings", windows);
}

static bool is_object(const UtmValue *value)
{
	return value && value->kind == UTM_TOKEN_BEGIN_OBJECT;
}

/* A drive counts when both its bookmark and its path are there. Migration has taken `drive` off its identifier. */
static void add_drives(UtmValue *state, const UtmLegacyView *view, bool exact)
{
	UtmValue *drives = utm__value_new_object();
	const UtmValue *bookmarks = view->removable_drives;
	for (gsize i = 0; is_object(bookmarks) && i < bookmarks->as.children.count; i++) {
		const char *name = bookmarks->as.children.keys[i];
		const UtmValue *bookmark = bookmarks->as.children.items[i];
		const UtmValue *path =
			is_object(view->removable_drives_path) ? utm__value_find(view->removable_drives_path, name) : NULL;
		if (bookmark->kind != UTM_TOKEN_DATA || !path || path->kind != UTM_TOKEN_STRING)
			continue;
		bool prefixed = !exact && g_str_has_prefix(name, "drive") && name[strlen("drive")];
		add(drives, name + (prefixed ? strlen("drive") : 0), new_file(bookmark, path->as.text.bytes));
	}
	utm__value_sort(drives);
	if (drives->as.children.count)
		add(state, "ExternalDrives", drives);
	else
		utm__value_free(drives);
}

static UtmValue *make_state(const UtmLegacyView *view, bool exact)
{
	UtmValue *state = utm__value_new_object();
	add_window(state, view, exact);
	add_drives(state, view, exact);
	if (view->suspended)
		add(state, "Suspended", new_bool(true));
	if (view->shared_directory && view->shared_directory_path) {
		UtmValue *directories = utm__value_new_array();
		utm__value_push(directories, new_file(view->shared_directory, view->shared_directory_path));
		add(state, "SharedDirectories", directories);
	}
	if (view->shortcut_bookmark) {
		UtmValue *package = utm__value_new_object();
		add(package, "BookmarkRemote", new_data(view->shortcut_bookmark));
		add(state, "Package", package);
	}
	utm__value_sort(state);
	return state;
}

int utm_view_state_load_data(const void *data, size_t size_bytes, const UtmConfigLoadOptions *options,
                             UtmValue **ret_state, UtmError **error)
{
	UtmConfigLoadOptions taken = UTM_CONFIG_LOAD_OPTIONS_INIT;
	g_autoptr(UtmPlist) plist = NULL;
	void *view = NULL;
	if (!ret_state || (!data && size_bytes))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "data and ret_state must not be NULL");
	int result = utm__sized_copy(&taken, sizeof taken, sizeof taken, options, "UtmConfigLoadOptions", error);
	if (result == 0 && (taken.flags & ~(uint32_t)UTM_CONFIG_LOAD_UTM_EXACT))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "unknown flags: 0x%x", taken.flags);
	if (result == 0)
		result = utm__plist_parse(data ? data : "", size_bytes, &plist, error);
	if (result == 0)
		result = utm__plist_decode(plist, &utm__legacy_schema, UTM_LEGACY_SCHEMA_VIEW, UTM_SCHEMA_LAX, &view, error);
	if (result == 0)
		*ret_state = make_state(view, taken.flags & UTM_CONFIG_LOAD_UTM_EXACT);
	utm__schema_free(&utm__legacy_schema, view);
	return result;
}
