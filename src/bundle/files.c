/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of a bundle's data files, and which of them the configuration refers to. */
#include "bundle/bundle-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRIES_MAX 65536

struct UtmBundleFiles {
	GPtrArray *files; /* of UtmBundleFile */
};

static void file_free(void *data)
{
	UtmBundleFile *file = data;
	g_free((char *)file->name);
	g_free(file);
}

/* Names that a configuration refers to; the values are not used. */
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

static GHashTable *referenced_names(const UtmConfig *config)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	size_t count = 0;
	bool custom = false;
	(void)utm_config_get_count(config, "Drive", &count, NULL);
	for (size_t i = 0; i < count; i++) {
		g_autofree char *key_path = g_strdup_printf("Drive[%zu].ImageName", i);
		refer(names, config, key_path);
	}
	if (utm_config_get_bool(config, "Information.IconCustom", &custom, NULL) == 0 && custom)
		refer(names, config, "Information.Icon");
	refer_if(names, config, "QEMU.UEFIBoot", UTM_BUNDLE_EFI_VARS);
	refer_if(names, config, "QEMU.DebugLog", UTM_BUNDLE_DEBUG_LOG);
	/* The TPM's state outlives the TPM: it holds keys that nothing else has. */
	g_hash_table_add(names, g_strdup(UTM_BUNDLE_TPM_DATA));
	return names;
}

/* A link that leads out is listed, but nothing is said about what is there. */
static UtmBundleFile *describe(const char *root, const char *name, bool referenced)
{
	struct stat info;
	UtmBundleFile *file = g_new0(UtmBundleFile, 1);
	*file = (UtmBundleFile){ .size = sizeof *file, .name = g_strdup(name), .referenced = referenced };
	g_autofree char *path = NULL;
	if (utm__confine(root, UTM_BUNDLE_DATA, name, &path, NULL) == 0 && lstat(path, &info) == 0 &&
	    S_ISREG(info.st_mode)) {
		file->length_bytes = (uint64_t)info.st_size;
		file->allocated_bytes = (uint64_t)info.st_blocks * 512;
	}
	return file;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp((*(UtmBundleFile *const *)a)->name, (*(UtmBundleFile *const *)b)->name);
}

static int list_directory(const char *root, GDir *directory, GHashTable *names, GPtrArray *files, UtmError **error)
{
	const char *name;
	while ((name = g_dir_read_name(directory))) {
		if (files->len == ENTRIES_MAX) {
			UtmError *made = utm__error_new(UTM_ERROR_LIMIT, "more than %d entries in " UTM_BUNDLE_DATA, ENTRIES_MAX);
			return utm__fail_take(error, utm__error_set_file(made, root));
		}
		g_ptr_array_add(files, describe(root, name, g_hash_table_contains(names, name)));
	}
	g_ptr_array_sort(files, compare_names);
	return 0;
}

int utm_bundle_list_files(UtmBundle *bundle, UtmBundleFiles **ret_files, UtmError **error)
{
	if (!bundle || !ret_files)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and ret_files must not be NULL");
	const char *root = utm_bundle_get_path(bundle);
	g_autofree char *data = NULL;
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(file_free);
	int result = utm__confine(root, NULL, UTM_BUNDLE_DATA, &data, error);
	if (result == UTM_ERROR_IMAGE_MISSING) { /* no directory, no files */
		if (error)
			g_clear_pointer(error, utm_error_unref);
		result = 0;
	} else if (result == 0) {
		g_autoptr(GHashTable) names = referenced_names(utm_bundle_get_config(bundle));
		GDir *directory = g_dir_open(data, 0, NULL);
		if (!directory)
			return utm__fail_errno(error, errno, data, "cannot list");
		result = list_directory(root, directory, names, files, error);
		g_dir_close(directory);
	}
	if (result < 0)
		return result;
	*ret_files = g_new0(UtmBundleFiles, 1);
	(*ret_files)->files = g_steal_pointer(&files);
	return 0;
}

size_t utm_bundle_files_get_count(const UtmBundleFiles *files)
{
	return files ? files->files->len : 0;
}

const UtmBundleFile *utm_bundle_files_get(const UtmBundleFiles *files, size_t index)
{
	return files && index < files->files->len ? files->files->pdata[index] : NULL;
}

void utm_bundle_files_free(UtmBundleFiles *files)
{
	if (!files)
		return;
	g_ptr_array_unref(files->files);
	g_free(files);
}
