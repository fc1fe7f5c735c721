/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of files in a configuration: that they stay inside, that the files are there, and which files they are. */
#include "bundle/bundle-impl.h"

#include "base/qcow2.h"
#include "base/util.h"

#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <string.h>

/* QEMU refuses longer chains at the start, too. */
#define BACKING_MAX 16

static const struct {
	const char *name;
	const char *key_path;
} fixed_names[] = {
	{ UTM_BUNDLE_EFI_VARS, "QEMU.UEFIBoot" },
	{ UTM_BUNDLE_TPM_DATA, "QEMU.TPMDevice" },
	{ UTM_BUNDLE_DEBUG_LOG, "QEMU.DebugLog" },
	{ UTM_BUNDLE_VM_STATE, NULL },
	{ UTM_BUNDLE_AUXILIARY, NULL },
};

bool utm__is_fixed_name(const char *name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(fixed_names); i++)
		if (g_ascii_strcasecmp(name, fixed_names[i].name) == 0)
			return true;
	return false;
}

/* --- that they stay inside --- */

typedef struct Package {
	int root;
	const char *path;
} Package;

typedef int (*NameFunc)(const Package *package, const char *name, UtmError **error);

/* Puts the place where the name stands into the error of a name. */
static int at_key(int result, const char *key_path, UtmError **error)
{
	if (result < 0 && error && key_path)
		utm__error_set_key_path(*error, key_path);
	return result;
}

static int check_key(const Package *package, const UtmConfig *config, const char *key_path, NameFunc check,
                     UtmError **error)
{
	g_autofree char *name = NULL;
	if (utm_config_get_string(config, key_path, &name, NULL) < 0)
		return 0; /* absent: no file */
	return at_key(check(package, name, error), key_path, error);
}

static int check_drives(const Package *package, const UtmConfig *config, NameFunc check, UtmError **error)
{
	size_t count = 0;
	int result = utm_config_get_count(config, "Drive", &count, error);
	for (size_t i = 0; result == 0 && i < count; i++) {
		g_autofree char *key_path = g_strdup_printf("Drive[%zu].ImageName", i);
		result = check_key(package, config, key_path, check, error);
	}
	return result;
}

/* A name that stays inside, whether or not the file is there. */
static int check_confined(const Package *package, const char *name, UtmError **error)
{
	g_autoptr(UtmError) problem = NULL;
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	int result = utm__spot_find_data(package->root, package->path, name, &spot, &problem);
	return result < 0 && result != UTM_ERROR_IMAGE_MISSING ? utm__fail_take(error, g_steal_pointer(&problem)) : 0;
}

/* Files that have fixed names may be links as well as any other. */
static int check_fixed_names(const Package *package, UtmError **error)
{
	int result = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(fixed_names) && result == 0; i++)
		result = at_key(check_confined(package, fixed_names[i].name, error), fixed_names[i].key_path, error);
	return result;
}

static bool has_custom_icon(const UtmConfig *config)
{
	bool custom = false;
	return utm_config_get_bool(config, "Information.IconCustom", &custom, NULL) == 0 && custom;
}

int utm__check_names(int root, const char *root_path, const UtmConfig *config, UtmError **error)
{
	const Package package = { root, root_path };
	int result = check_drives(&package, config, check_confined, error);
	/* Information.Icon is the name of a file only when IconCustom says so; otherwise it never becomes a path. */
	if (result == 0 && has_custom_icon(config))
		result = check_key(&package, config, "Information.Icon", check_confined, error);
	return result == 0 ? check_fixed_names(&package, error) : result;
}

/* --- that the files are there --- */

static int check_present(const Package *package, const char *name, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	int result = utm__spot_find_data(package->root, package->path, name, &spot, error);
	if (result < 0)
		return result;
	if (!spot.exists)
		return utm__fail_missing(spot.path, name, error);
	if (S_ISREG(spot.info.st_mode))
		return 0;
	UtmError *made = utm__error_new(UTM_ERROR_IMAGE_MISSING, "\"%.255s\" is not a regular file", name);
	return utm__fail_take(error, utm__error_set_file(made, spot.path));
}

int utm__bundle_check_images(UtmBundle *bundle, const UtmConfig *config, UtmError **error)
{
	const char *path = utm_bundle_get_path(bundle);
	utm_autofd root = utm__open_root(path, error);
	if (root < 0)
		return root;
	const Package package = { root, path };
	int result = check_drives(&package, config, check_present, error);
	return result == 0 ? utm__check_names(root, path, config, error) : result;
}

/* --- which they are --- */

static void refer(GHashTable *names, const UtmConfig *config, const char *key_path)
{
	char *name = NULL;
	if (utm_config_get_string(config, key_path, &name, NULL) == 0)
		g_hash_table_add(names, name);
}

static void refer_if(GHashTable *names, const UtmConfig *config, const char *key_path, const char *name)
{
	bool is_set = false;
	if (utm_config_get_bool(config, key_path, &is_set, NULL) == 0 && is_set)
		g_hash_table_add(names, g_strdup(name));
}

/* A configuration of the other back end does not have these keys, and then they refer to nothing. */
static void refer_to_fixed(GHashTable *names, const UtmConfig *config)
{
	static const char *const keys[] = { "System.Boot.LinuxKernelPath", "System.Boot.LinuxInitialRamdiskPath",
		                                "System.Boot.EfiVariableStoragePath",
		                                "System.MacPlatform.AuxiliaryStoragePath" };
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
		refer(names, config, keys[i]);
	refer_if(names, config, "QEMU.UEFIBoot", UTM_BUNDLE_EFI_VARS);
	refer_if(names, config, "System.Boot.UEFIBoot", UTM_BUNDLE_EFI_VARS);
	refer_if(names, config, "QEMU.DebugLog", UTM_BUNDLE_DEBUG_LOG);
	if (has_custom_icon(config))
		refer(names, config, "Information.Icon");
	/* The TPM's state outlives the TPM: it holds keys that nothing else has. A saved state outlives nothing it needs. */
	g_hash_table_add(names, g_strdup(UTM_BUNDLE_TPM_DATA));
	g_hash_table_add(names, g_strdup(UTM_BUNDLE_VM_STATE));
	g_hash_table_add(names, g_strdup(UTM_BUNDLE_AUXILIARY));
}

/* The image below one that is referred to. False when nobody can say what else it needs. */
static bool next_backing(int root, const char *root_path, const char *name, char **ret_backing)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	g_auto(UtmImageHead) head = { 0 };
	*ret_backing = NULL;
	if (utm__spot_find_data(root, root_path, name, &spot, NULL) < 0 || !spot.exists || !S_ISREG(spot.info.st_mode))
		return true; /* nothing there that could need anything */
	utm_autofd fd = openat(spot.dir, spot.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	utm__image_head_read(fd, &head);
	if (head.backing)
		*ret_backing = g_path_get_basename(head.backing);
	return !head.external_data;
}

static bool refer_to_backings(GHashTable *names, int root, const char *root_path, const char *name)
{
	g_autofree char *current = g_strdup(name);
	for (int i = 0; i < BACKING_MAX; i++) {
		g_autofree char *backing = NULL;
		if (!next_backing(root, root_path, current, &backing))
			return false;
		if (!backing)
			return true;
		g_hash_table_add(names, g_strdup(backing));
		g_free(current);
		current = g_steal_pointer(&backing);
	}
	return false;
}

GHashTable *utm__referenced_names(int root, const char *root_path, const UtmConfig *config, bool *ret_unsure)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	size_t count = 0;
	bool known = true;
	(void)utm_config_get_count(config, "Drive", &count, NULL);
	for (size_t i = 0; i < count; i++) {
		g_autofree char *key_path = g_strdup_printf("Drive[%zu].ImageName", i);
		refer(names, config, key_path);
	}
	g_autofree char **images = (char **)g_hash_table_get_keys_as_array(names, NULL);
	g_auto(GStrv) copies = g_strdupv(images);
	for (char **image = copies; *image; image++)
		known = refer_to_backings(names, root, root_path, *image) && known;
	refer_to_fixed(names, config);
	*ret_unsure = !known;
	return names;
}

/* A whole text, and the parts of it that an argument or a path would be made of. */
static void mention(GHashTable *names, const char *text)
{
	g_auto(GStrv) words = g_strsplit_set(text, "/,=:;\"' \t\n", -1);
	g_hash_table_add(names, g_strdup(text));
	for (char **word = words; *word; word++)
		if (**word)
			g_hash_table_add(names, g_strdup(*word));
}

static void mention_node(GHashTable *names, JsonNode *node);

static void mention_member(JsonObject *object, const char *name, JsonNode *node, gpointer names)
{
	mention(names, name);
	mention_node(names, node);
}

static void mention_element(JsonArray *array, guint index, JsonNode *node, gpointer names)
{
	mention_node(names, node);
}

/* As deep as a configuration may be, which is bounded when it is read. */
static void mention_node(GHashTable *names, JsonNode *node)
{
	if (JSON_NODE_HOLDS_OBJECT(node))
		json_object_foreach_member(json_node_get_object(node), mention_member, names);
	else if (JSON_NODE_HOLDS_ARRAY(node))
		json_array_foreach_element(json_node_get_array(node), mention_element, names);
	else if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING)
		mention(names, json_node_get_string(node));
}

GHashTable *utm__mentioned_names(const UtmConfig *config)
{
	g_autofree char *json = NULL;
	g_autoptr(JsonNode) node = NULL;
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (utm_config_to_json(config, NULL, &json, NULL) == 0)
		node = json_from_string(json, NULL);
	if (node)
		mention_node(names, node);
	return names;
}
