/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The administrator's rules for QEMU's bridge helper, as the helper reads them: lines `allow BRIDGE`, `deny BRIDGE` and
 * `include FILE`; BRIDGE may be `all`; whatever denies goes before all that allows, wherever it stands.
 */
#include "host/survey.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

enum {
	FILE_MAX = 64 * 1024,
	BRIDGES_MAX = 256,
	NAME_BYTES_MAX = 15, /* of a network interface */
	DEPTH_MAX = 4,
};

typedef struct Rules {
	GPtrArray *allowed;
	GHashTable *denied;
} Rules;

/* A plain file only: one that an administrator replaced by a pipe must not hold us up. */
static char *read_text(const char *path)
{
	g_autofree char *text = g_malloc(FILE_MAX + 1);
	utm_autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return NULL;
	ssize_t length = read(fd, text, FILE_MAX);
	if (length < 0)
		return NULL;
	text[length] = '\0';
	return g_steal_pointer(&text);
}

static bool read_file(Rules *rules, const char *path, int depth);

static void take_rule(Rules *rules, const char *verb, const char *name, int depth)
{
	bool fits = *name && strlen(name) <= NAME_BYTES_MAX;

	if (!strcmp(verb, "include") && depth < DEPTH_MAX)
		(void)read_file(rules, name, depth + 1);
	else if (!strcmp(verb, "allow") && fits && rules->allowed->len < BRIDGES_MAX)
		g_ptr_array_add(rules->allowed, g_utf8_make_valid(name, -1));
	else if (!strcmp(verb, "deny") && fits && g_hash_table_size(rules->denied) < BRIDGES_MAX)
		g_hash_table_add(rules->denied, g_utf8_make_valid(name, -1));
}

static bool read_file(Rules *rules, const char *path, int depth)
{
	g_autofree char *text = read_text(path);
	g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;

	for (gsize i = 0; lines && lines[i]; i++) {
		char *verb = g_strstrip(lines[i]);
		char *name = strpbrk(verb, " \t");

		if (*verb == '#' || !name)
			continue;
		*name++ = '\0';
		take_rule(rules, verb, g_strstrip(name), depth);
	}
	return text != NULL;
}

bool utm__bridge_rules_read(const char *path, GPtrArray *allowed)
{
	g_autoptr(GHashTable) denied = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	Rules rules = { allowed, denied };
	bool found = read_file(&rules, path, 0);
	bool none = g_hash_table_contains(denied, "all");

	for (guint i = allowed->len; i-- > 0;) {
		if (none || g_hash_table_contains(denied, allowed->pdata[i]))
			g_ptr_array_remove_index(allowed, i);
	}
	return found;
}
