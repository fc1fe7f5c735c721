/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's answers, as far as they tell what it has. The program may be anything: what does not look as it should is passed
 * over, and what is too much ends the asking.
 *
 * Which devices are displays, network and sound cards is told in no QMP command, only in the text for people of `info qdm`,
 * whose form has been the same for more than ten years.
 */
#include "host/hardware.h"

#include <string.h>

static const char *text_of(const UtmValue *object, const char *member)
{
	return utm_value_get_string(utm_value_get_member(object, member));
}

/* --- processors --- */

/* What all types end with tells the family, and is not part of the name: "ev67-alpha-cpu" is ev67. */
static gsize shared_ending(const UtmValue *types)
{
	const char *first = text_of(utm_value_get_item(types, 0), "name");
	g_autofree char *stem =
		first && g_str_has_suffix(first, "-cpu") ? g_strndup(first, strlen(first) - strlen("-cpu")) : NULL;
	const char *dash = stem ? strrchr(stem, '-') : NULL;

	if (!dash)
		return strlen("-cpu");
	g_autofree char *ending = g_strconcat(dash, "-cpu", NULL);
	for (size_t i = 0; i < utm_value_get_count(types); i++) {
		const char *name = text_of(utm_value_get_item(types, i), "name");

		if (name && (!g_str_has_suffix(name, ending) || strlen(name) == strlen(ending)))
			return strlen("-cpu");
	}
	return strlen(ending);
}

GHashTable *utm__hardware_name_cpus(const UtmValue *definitions, const UtmValue *types)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	gsize ending = definitions ? 0 : shared_ending(types);
	const UtmValue *list = definitions ? definitions : types;

	for (size_t i = 0; i < utm_value_get_count(list); i++) {
		const UtmValue *cpu = utm_value_get_item(list, i);
		const char *type = text_of(cpu, definitions ? "typename" : "name");
		const char *name = text_of(cpu, "name");

		if (type && name && strlen(name) > ending && (definitions || g_str_has_suffix(name, "-cpu")))
			g_hash_table_insert(names, g_strdup(type), g_strndup(name, strlen(name) - ending));
	}
	return names;
}

/* One type may have several names, as G4 and 7400 in PowerPC. */
static bool take_definitions(UtmHardware *hardware, const UtmValue *definitions)
{
	for (size_t i = 0; i < utm_value_get_count(definitions); i++) {
		const UtmValue *cpu = utm_value_get_item(definitions, i);
		bool old = utm_value_get_bool(utm_value_get_member(cpu, "deprecated"));
		UtmHardwareItem item = { .name = text_of(cpu, "name"), .flags = old ? UTM_HARDWARE_ITEM_DEPRECATED : 0 };

		if (!utm__hardware_add(hardware, UTM_HARDWARE_CPU, &item))
			return false;
	}
	return true;
}

bool utm__hardware_take_cpus(UtmHardware *hardware, const UtmValue *definitions, GHashTable *cpu_names)
{
	GHashTableIter iter;
	void *name;

	if (definitions)
		return take_definitions(hardware, definitions);
	g_hash_table_iter_init(&iter, cpu_names);
	while (g_hash_table_iter_next(&iter, NULL, &name))
		if (!utm__hardware_add(hardware, UTM_HARDWARE_CPU, &(UtmHardwareItem){ .name = name }))
			return false;
	return true;
}

const char *utm__hardware_find_flags_type(GHashTable *cpu_names)
{
	const char *found = NULL;
	GHashTableIter iter;
	void *type, *name;

	g_hash_table_iter_init(&iter, cpu_names);
	while (g_hash_table_iter_next(&iter, &type, &name)) {
		if (!strcmp(name, "max"))
			return type;
		/* They all have the same. */
		if (strstr(type, "sparc") && (!found || strcmp(type, found) < 0))
			found = type;
	}
	return found;
}

bool utm__hardware_take_flags(UtmHardware *hardware, const UtmValue *properties)
{
	for (size_t i = 0; i < utm_value_get_count(properties); i++) {
		const UtmValue *property = utm_value_get_item(properties, i);
		const char *name = text_of(property, "name");

		/* Every processor has start-powered-off, which is no feature. */
		if (g_strcmp0(text_of(property, "type"), "bool") || !g_strcmp0(name, "start-powered-off"))
			continue;
		if (!utm__hardware_add(hardware, UTM_HARDWARE_CPU_FLAG, &(UtmHardwareItem){ .name = name }))
			return false;
	}
	return true;
}

bool utm__hardware_take_properties(UtmHardware *hardware, const UtmValue *properties)
{
	for (size_t i = 0; i < utm_value_get_count(properties); i++) {
		const UtmValue *property = utm_value_get_item(properties, i), *value = utm_value_get_member(property, "default-value");
		g_autofree char *default_json = value ? utm_value_dup_json(value) : NULL;
		UtmHardwareItem item = { .name = text_of(property, "name"),
			                     .description = text_of(property, "description"),
			                     .type = text_of(property, "type"),
			                     .default_json = default_json };

		if (!utm__hardware_add(hardware, UTM_HARDWARE_PROPERTY, &item))
			return false;
	}
	return true;
}

/* --- machine types --- */

bool utm__hardware_take_machines(UtmHardware *hardware, const UtmValue *machines, GHashTable *cpu_names)
{
	for (size_t i = 0; i < utm_value_get_count(machines); i++) {
		const UtmValue *machine = utm_value_get_item(machines, i);
		const char *cpu = text_of(machine, "default-cpu-type");
		int64_t most = utm_value_get_int(utm_value_get_member(machine, "cpu-max"));
		UtmHardwareItem item = { .name = text_of(machine, "name"),
			                     .alias = text_of(machine, "alias"),
			                     .cpu = cpu ? g_hash_table_lookup(cpu_names, cpu) : NULL,
			                     .max_cpus = (uint32_t)CLAMP(most, 0, G_MAXINT32) };

		if (utm_value_get_bool(utm_value_get_member(machine, "is-default")))
			item.flags |= UTM_HARDWARE_ITEM_DEFAULT;
		if (utm_value_get_bool(utm_value_get_member(machine, "deprecated")))
			item.flags |= UTM_HARDWARE_ITEM_DEPRECATED;
		if (!utm__hardware_add(hardware, UTM_HARDWARE_MACHINE, &item))
			return false;
	}
	return true;
}

/* --- devices --- */

static int find_category(const char *line)
{
	static const struct {
		const char *heading;
		UtmHardwareKind kind;
	} categories[] = {
		{ "Display devices:", UTM_HARDWARE_DISPLAY },
		{ "Network devices:", UTM_HARDWARE_NETWORK },
		{ "Sound devices:", UTM_HARDWARE_SOUND },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(categories); i++)
		if (!strcmp(line, categories[i].heading))
			return (int)categories[i].kind;
	return -1;
}

/* What stands behind `key` up to `end`, or up to the last quotation mark. */
static char *dup_part(const char *line, const char *key, char end)
{
	const char *start = strstr(line, key);
	const char *stop;

	if (!start)
		return NULL;
	start += strlen(key);
	stop = end == '"' ? strrchr(start, end) : strchr(start, end);
	return g_strndup(start, stop ? (gsize)(stop - start) : strlen(start));
}

/* name "e1000", bus PCI, alias "e1000-82540em", desc "Intel Gigabit Ethernet" */
static bool take_device(UtmHardware *hardware, UtmHardwareKind kind, const char *line)
{
	const char *description_start = strstr(line, ", desc \"");
	g_autofree char *description = dup_part(line, ", desc \"", '"');
	/* Nothing that the description says is taken for something else. */
	g_autofree char *facts = description_start ? g_strndup(line, (gsize)(description_start - line)) : g_strdup(line);
	g_autofree char *bus = dup_part(facts, ", bus ", ',');
	g_autofree char *alias = dup_part(facts, ", alias \"", '"');
	const char *start = facts + strlen("name \"");
	g_autofree char *name = g_strndup(start, strcspn(start, "\" "));

	/* Codecs of sound cards are no cards. */
	if (g_str_has_suffix(line, ", no-user") || !g_strcmp0(bus, "HDA"))
		return true;
	return utm__hardware_add(
		hardware, kind, &(UtmHardwareItem){ .name = name, .alias = alias, .description = description, .bus = bus });
}

bool utm__hardware_take_devices(UtmHardware *hardware, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	int kind = -1;

	for (char **line = lines; *line; line++) {
		g_strchomp(*line);
		bool is_device = g_str_has_prefix(*line, "name \"");
		if (!is_device && **line)
			kind = find_category(*line);
		if (is_device && kind >= 0 && !take_device(hardware, (UtmHardwareKind)kind, *line))
			return false;
	}
	return true;
}
