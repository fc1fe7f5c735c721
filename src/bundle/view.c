/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of a machine's windows, which packages of UTM 1 to 3 have in view.plist. UTM reads it once, into its registry,
 * and deletes it; there is no registry here, so it stays, and whoever wants it reads it.
 */
#include "bundle/bundle-impl.h"

#include "base/util.h"
#include "schema/plist-codec.h"

#include <errno.h>

static int find_view(UtmBundle *bundle, UtmSpot *ret_spot, UtmError **error)
{
	const char *path = utm_bundle_get_path(bundle);
	utm_autofd root = utm__open_root(path, error);
	int result = root < 0 ? root : utm__spot_find(root, path, NULL, UTM_BUNDLE_VIEW, ret_spot, error);
	if (result == 0 && !ret_spot->exists)
		return utm__fail_errno(error, ENOENT, ret_spot->path, "cannot open");
	return result;
}

int utm_bundle_get_view_state(UtmBundle *bundle, const UtmConfigLoadOptions *options, UtmValue **ret_state,
                              UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	if (!bundle || !ret_state)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and ret_state must not be NULL");
	int result = find_view(bundle, &spot, error);
	if (result == 0)
		result = utm__spot_read(&spot, UTM_PLIST_SIZE_MAX, bytes, NULL, error);
	if (result < 0)
		return result;
	result = utm_view_state_load_data(bytes->data, bytes->len, options, ret_state, error);
	if (result < 0 && error)
		*error = utm__error_at_file(*error, spot.path);
	return result;
}
