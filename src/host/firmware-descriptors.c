/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's firmware descriptors: small JSON files with which distributions tell what UEFI images they have, for which
 * machines, and with which of Secure Boot's pieces. They are the one source that is right on every distribution.
 *
 * Of several that would do, those for x86 are preferred whose variables have the layout that UTM's have, so that machines
 * from there keep theirs.
 */
#include "base/util.h"
#include "host/host-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Real ones have some 1 KiB; distributions install a dozen. */
#define FILE_MAX 65536
#define FILES_MAX 256

/* Variables of the firmware images of 4 MiB. */
#define UTM_X86_VARS_SIZE 540672

/* Which machines are meant; other ones (microvm, confidential guests) have images of their own. */
static const struct {
	const char *architecture;
	const char *machines; /* what a pattern begins with */
} wanted_machines[] = {
	{ "x86_64", "pc-q35-" }, { "i386", "pc-q35-" },   { "aarch64", "virt-" },
	{ "arm", "virt-" },      { "riscv64", "virt" }, { "loongarch64", "virt" },
};

typedef struct Pair {
	char *code;
	char *vars;
	bool secure;
	bool enrolled;
	bool smm;
	bool usual_size;
} Pair;

static void pair_clear(Pair *pair)
{
	g_clear_pointer(&pair->code, g_free);
	g_clear_pointer(&pair->vars, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pair, pair_clear)

/* --- one descriptor --- */

/* The text of a file; "" of an empty one, which stands for "none of this name". NULL when it cannot be read. */
static char *read_text(const char *path)
{
	utm_autofd fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat info;
	if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > FILE_MAX)
		return NULL;
	g_autofree char *text = g_malloc0((gsize)info.st_size + 1);
	ssize_t count = pread(fd, text, (gsize)info.st_size, 0);
	return count == info.st_size ? g_steal_pointer(&text) : NULL;
}

static const char *member_text(const UtmValue *object, const char *name)
{
	return utm_value_get_string(utm_value_get_member(object, name));
}

static bool lists(const UtmValue *array, const char *word)
{
	for (size_t i = 0; i < utm_value_get_count(array); i++)
		if (!g_strcmp0(utm_value_get_string(utm_value_get_item(array, i)), word))
			return true;
	return false;
}

static bool lists_machine(const UtmValue *patterns, const char *machines)
{
	for (size_t i = 0; i < utm_value_get_count(patterns); i++) {
		const char *pattern = utm_value_get_string(utm_value_get_item(patterns, i));
		if (pattern && g_str_has_prefix(pattern, machines))
			return true;
	}
	return false;
}

static bool is_for(const UtmValue *descriptor, const char *architecture, const char *machines)
{
	const UtmValue *targets = utm_value_get_member(descriptor, "targets");
	for (size_t i = 0; i < utm_value_get_count(targets); i++) {
		const UtmValue *target = utm_value_get_item(targets, i);
		if (!g_strcmp0(member_text(target, "architecture"), architecture) &&
		    lists_machine(utm_value_get_member(target, "machines"), machines))
			return true;
	}
	return false;
}

/* An absolute path of a file that is there, in the format that its name promises: that is how QEMU is told of it. */
static char *take_image(const UtmValue *mapping, const char *role)
{
	const UtmValue *image = utm_value_get_member(mapping, role);
	const char *path = member_text(image, "filename"), *format = member_text(image, "format");
	if (!path || !g_path_is_absolute(path) || !g_file_test(path, G_FILE_TEST_IS_REGULAR))
		return NULL;
	const char *named = utm__image_format_from_name(path);
	return g_strcmp0(format, named ? named : "raw") ? NULL : g_strdup(path);
}

/* False when the descriptor is of something else. */
static bool read_pair(const UtmValue *descriptor, const char *architecture, const char *machines, Pair *ret_pair)
{
	const UtmValue *mapping = utm_value_get_member(descriptor, "mapping");
	const UtmValue *features = utm_value_get_member(descriptor, "features");
	const char *mode = member_text(mapping, "mode");
	g_auto(Pair) pair = { 0 };

	if (!lists(utm_value_get_member(descriptor, "interface-types"), "uefi") ||
	    !is_for(descriptor, architecture, machines) || g_strcmp0(member_text(mapping, "device"), "flash") ||
	    (mode && strcmp(mode, "split")))
		return false;
	pair.code = take_image(mapping, "executable");
	pair.vars = take_image(mapping, "nvram-template");
	if (!pair.code || !pair.vars)
		return false;
	pair.secure = lists(features, "secure-boot");
	pair.enrolled = lists(features, "enrolled-keys");
	pair.smm = lists(features, "requires-smm");
	pair.usual_size = utm__image_size(pair.vars) == UTM_X86_VARS_SIZE;
	*ret_pair = pair;
	pair = (Pair){ 0 };
	return true;
}

/* --- all of them --- */

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* File names in order, each with the path where it was found first. */
static GPtrArray *list_files(const char *const *dirs, GHashTable *paths)
{
	GPtrArray *names = g_ptr_array_new();
	for (; *dirs; dirs++) {
		GDir *stream = g_dir_open(*dirs, 0, NULL);
		const char *name;
		while (stream && names->len < FILES_MAX && (name = g_dir_read_name(stream))) {
			if (!g_str_has_suffix(name, ".json") || g_hash_table_contains(paths, name))
				continue;
			char *key = g_strdup(name);
			g_hash_table_insert(paths, key, g_build_filename(*dirs, name, NULL));
			g_ptr_array_add(names, key);
		}
		if (stream)
			g_dir_close(stream);
	}
	g_ptr_array_sort(names, compare_names);
	return names;
}

static bool is_better(const Pair *pair, const Pair *former, bool secure)
{
	if (!former->code)
		return true;
	if (pair->usual_size != former->usual_size)
		return pair->usual_size;
	return secure && pair->enrolled && !former->enrolled;
}

/* What guards its variables is for Secure Boot alone: it does not start on every machine. */
static bool is_secure(const Pair *pair, bool x86)
{
	return x86 ? pair->secure && pair->smm : pair->secure && pair->enrolled;
}

static void choose(Pair *best, Pair *pair, bool secure)
{
	if (!is_better(pair, best, secure))
		return;
	pair_clear(best);
	*best = *pair;
	*pair = (Pair){ 0 };
}

static void consider(const char *path, const char *architecture, const char *machines, Pair *plain, Pair *secure)
{
	g_autofree char *text = read_text(path);
	UtmValue *descriptor = NULL;
	g_auto(Pair) pair = { 0 };
	bool x86 = g_str_has_prefix(machines, "pc-");
	if (!text || !*text || utm_value_from_json(text, &descriptor, NULL) < 0)
		return;
	if (read_pair(descriptor, architecture, machines, &pair)) {
		if (is_secure(&pair, x86))
			choose(secure, &pair, true);
		else if (!pair.secure && !pair.smm && !pair.enrolled)
			choose(plain, &pair, false);
	}
	utm_value_free(descriptor);
}

static void put(char **code_field, char **vars_field, Pair *pair)
{
	if (*code_field || !pair->code)
		return;
	*code_field = g_steal_pointer(&pair->code);
	g_free(*vars_field);
	*vars_field = g_steal_pointer(&pair->vars);
}

void utm__firmware_find_described(UtmHostFirmware *entry, const char *const *dirs)
{
	g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) files = list_files(dirs, paths);
	g_auto(Pair) plain = { 0 };
	g_auto(Pair) secure = { 0 };
	const char *machines = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(wanted_machines) && !machines; i++)
		if (!strcmp(wanted_machines[i].architecture, entry->architecture))
			machines = wanted_machines[i].machines;
	for (guint i = 0; machines && i < files->len; i++)
		consider(g_hash_table_lookup(paths, files->pdata[i]), entry->architecture, machines, &plain, &secure);
	put(&entry->code, &entry->vars_template, &plain);
	put(&entry->secure_code, &entry->secure_vars_template, &secure);
}
