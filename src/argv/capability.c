/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host's QEMU can do.
 *
 * The version is only a first guess: a distribution may leave things out or bring them early. The host facts can
 * overrule each entry by name, and a list of devices asked from the program itself overrules them all.
 */
#include "argv/groups.h"

#include <stdlib.h>
#include <string.h>

typedef struct Since {
	const char *name;
	guint version; /* 100 * major + minor */
} Since;

static const Since capabilities[] = {
	{ "audio-none", 802 }, /* -audio none */
	{ "audiodev-pipewire", 801 },
	{ "loongarch64-tpm", 1000 },
	{ "machine-audiodev", 802 }, /* boards with sound chips take the property audiodev= */
	{ "venus", 902 },
};

static const Since devices[] = {
	{ "igb", 800 },
	{ "nubus-virtio-mmio", 900 },
	{ "virtio-sound-pci", 802 },
};

/* Devices of UTM's QEMU that no release of the stock one has. */
static const char *const foreign_devices[] = { "apple-gfx-pci", "screamer", "virtio-ramfb", "virtio-ramfb-gl", NULL };

bool utm__device_is_foreign(const char *name)
{
	return g_strv_contains(foreign_devices, name);
}

static guint parse_version(const char *text)
{
	char *end = NULL;
	unsigned long major = text ? strtoul(text, &end, 10) : 0;
	unsigned long minor = end && *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

	/* Unknown counts as the newest. */
	return major ? (guint)(MIN(major, 1000) * 100 + MIN(minor, 99)) : G_MAXUINT;
}

static bool lists(char **names, gsize count, const char *name)
{
	for (gsize i = 0; i < count; i++) {
		if (!g_strcmp0(names[i], name))
			return true;
	}
	return false;
}

static bool is_since(const UtmArgvBuilder *b, const Since *table, gsize count, const char *name)
{
	for (gsize i = 0; i < count; i++) {
		if (!strcmp(table[i].name, name))
			return parse_version(b->facts->qemu_version) >= table[i].version;
	}
	return true;
}

static bool is_overruled(const UtmHostFacts *facts, const char *name, bool *ret_value)
{
	bool added = lists(facts->capabilities_add, facts->capabilities_add_count, name);
	bool removed = lists(facts->capabilities_remove, facts->capabilities_remove_count, name);

	*ret_value = added && !removed;
	return added || removed;
}

bool utm__has_capability(UtmArgvBuilder *b, const char *name)
{
	bool value;

	if (is_overruled(b->facts, name, &value))
		return value;
	return is_since(b, capabilities, G_N_ELEMENTS(capabilities), name);
}

bool utm__has_device(UtmArgvBuilder *b, const char *name)
{
	bool value;

	if (b->macos)
		return true;
	if (is_overruled(b->facts, name, &value))
		return value;
	if (b->facts->devices_count)
		return lists(b->facts->devices, b->facts->devices_count, name);
	if (utm__device_is_foreign(name))
		return false;
	return is_since(b, devices, G_N_ELEMENTS(devices), name);
}

static const char *get_virtio_bus(const UtmArgvBuilder *b, bool mmio)
{
	guint32 traits = b->machine->traits;

	if (traits & UTM_MACHINE_CCW)
		return "ccw";
	if (traits & UTM_MACHINE_PCI)
		return "pci";
	return mmio && (traits & UTM_MACHINE_MMIO) ? "device" : NULL;
}

const char *utm__virtio_device(UtmArgvBuilder *b, const char *kind, bool mmio)
{
	const char *bus = get_virtio_bus(b, mmio || !strcmp(b->architecture->name, "m68k"));
	g_autofree char *name = NULL;

	/* The Quadra takes virtio devices only through a card that needs a ROM of its own. */
	if (b->classic_mac_68k)
		bus = (b->macos || b->facts->roms_dir) && utm__has_device(b, "nubus-virtio-mmio") ? "device" : NULL;
	if (!bus)
		return NULL;
	name = g_strdup_printf("virtio-%s-%s", kind, bus);
	return g_string_chunk_insert_const(b->chunk, name);
}
