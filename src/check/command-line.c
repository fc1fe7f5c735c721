/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the builder of the command line refuses or leaves out, so that it and the check never disagree; and what only the
 * finished line shows: names of QEMU's objects that are there twice.
 */
#include "check/check-private.h"

#include "argv/argv-private.h"

#include <string.h>

/* --- what the builder says --- */

static UtmFindingCode code_of(const UtmArgvProblem *problem)
{
	switch (problem->kind) {
	case UTM_ARGV_NO_PLACE:
		return UTM_FINDING_NO_PLACE;
	case UTM_ARGV_NO_AGENT:
		return UTM_FINDING_NO_AGENT;
	case UTM_ARGV_HOST_LACKS:
		return UTM_FINDING_HOST_LACKS;
	case UTM_ARGV_LISTED:
	case UTM_ARGV_REFUSED:
		break;
	}
	switch (problem->code) {
	case UTM_ERROR_BUNDLE_PATH_ESCAPE:
		return UTM_FINDING_PATH_ESCAPE;
	case UTM_ERROR_FIRMWARE_NOT_FOUND:
		return UTM_FINDING_FIRMWARE_MISSING;
	case UTM_ERROR_CONFIG_UNSUPPORTED:
		return UTM_FINDING_UNSUPPORTED;
	default:
		return UTM_FINDING_VALUE;
	}
}

/* The remedy of an error code is about calls and contexts; only one that was made for the case fits here. */
static const char *remedy_of(const UtmArgvProblem *problem)
{
	g_autoptr(UtmError) plain = utm__error_new(problem->code, "%s", "");
	return problem->remedy && g_strcmp0(problem->remedy, utm_error_get_remedy(plain)) ? problem->remedy : NULL;
}

static void tell(UtmCheck *check, const UtmArgvProblem *problem, bool any_host)
{
	UtmFindingCode code = code_of(problem);
	utm__check_at(check, "%s", problem->key_path ? problem->key_path : "");
	if (problem->kind == UTM_ARGV_LISTED)
		return;
	if (any_host && (code == UTM_FINDING_HOST_LACKS || code == UTM_FINDING_FIRMWARE_MISSING))
		return;
	/* A rule of its own has said it better. */
	if (problem->kind == UTM_ARGV_REFUSED && utm__has_error_here(check))
		return;
	utm__find_with_remedy(check, code, remedy_of(problem), "%s", problem->text);
}

/* --- names of objects --- */

/* Options whose values have an `id`; each has its own space of names. */
static const char *const named_options[] = { "-device",   "-drive", "-netdev", "-chardev", "-object",
	                                         "-blockdev", "-fsdev", "-tpmdev", NULL };

static const char *find_id(const char *value, gsize *ret_length)
{
	const char *id = g_str_has_prefix(value, "id=") ? value : strstr(value, ",id=");
	if (!id)
		return NULL;
	id = strchr(id, '=') + 1;
	*ret_length = strcspn(id, ",");
	return id;
}

/* QEMU takes two dashes for one. */
static const char *plain_option(const char *text)
{
	return g_str_has_prefix(text, "--") ? text + 1 : text;
}

static void check_ids(UtmCheck *check, const UtmArgv *argv)
{
	const char *const *strings = utm_argv_get_strings(argv);
	size_t count = utm_argv_get_count(argv), length;
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; i + 1 < count; i++) {
		const char *option = plain_option(strings[i]);
		const char *id = g_strv_contains(named_options, option) ? find_id(strings[i + 1], &length) : NULL;
		if (!id || g_hash_table_add(known, g_strdup_printf("%s %.*s", option, (int)length, id)))
			continue;
		/* Ours are only there twice when identifiers are, and that has been told. */
		if (g_strcmp0(utm_argv_get_key_path(argv, i), "QEMU.AdditionalArguments") != 0)
			continue;
		utm__check_at(check, "QEMU.AdditionalArguments");
		utm__find(check, UTM_FINDING_DUPLICATE, "another %s has the id %.*s already", option, (int)length, id);
	}
}

static bool has_pair(const UtmArgv *argv, const char *option, const char *prefix)
{
	const char *const *strings = utm_argv_get_strings(argv);
	for (size_t i = 0; i + 1 < utm_argv_get_count(argv); i++)
		if (strcmp(strings[i], option) == 0 && g_str_has_prefix(strings[i + 1], prefix))
			return true;
	return false;
}

/* Some host may accelerate what a typical one does not. */
static void check_host_cpu(UtmCheck *check, const UtmArgv *argv)
{
	const char *name = check->architecture->name;
	bool possible =
		check->any_host && check->qemu->qemu->hypervisor && (!strcmp(name, "x86_64") || !strcmp(name, "aarch64"));
	if (g_strcmp0(check->qemu->system->cpu, "host") != 0 || possible || !has_pair(argv, "-accel", "tcg"))
		return;
	utm__check_at(check, "System.CPU");
	utm__find(check, UTM_FINDING_CPU_NEEDS_HYPERVISOR, "the processor host is for hardware virtualisation only");
}

/* --- all of it --- */

static void inspect(UtmCheck *check, const UtmHost *host, bool any_host)
{
	g_autoptr(GArray) problems = g_array_new(FALSE, FALSE, sizeof(UtmArgvProblem));
	UtmArgv *argv = utm__argv_inspect(check->config, check->bundle_path, host, problems);
	for (guint i = 0; i < problems->len; i++)
		tell(check, &g_array_index(problems, UtmArgvProblem, i), any_host);
	if (check->architecture) {
		check_ids(check, argv);
		check_host_cpu(check, argv);
	}
	utm_argv_unref(argv);
}

void utm__check_command_line(UtmCheck *check)
{
	UtmHost *typical = NULL;
	inspect(check, check->host, check->any_host);
	/* UTM's own spelling judges nothing: what it writes, QEMU may refuse. What no QEMU takes is known here. */
	if (utm__host_get_facts(check->host)->system != UTM_HOST_SYSTEM_MACOS ||
	    utm_host_new_from_json(UTM_HOST_OS_LINUX, NULL, &typical, NULL) < 0)
		return;
	inspect(check, typical, true);
	utm_host_unref(typical);
}
