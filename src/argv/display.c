/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Display devices.
 *
 * There is no window of QEMU's own: the picture leaves through SPICE. UTM's QEMU has devices that the stock one lacks;
 * they get the nearest stock device.
 */
#include "argv/groups.h"

#include <string.h>

static const struct {
	const char *utm;
	const char *stock;
} substitutes[] = {
	{ "virtio-ramfb", "virtio-gpu-pci" },
	{ "virtio-ramfb-gl", "virtio-gpu-gl-pci" },
	{ "apple-gfx-pci", "virtio-gpu-pci" },
};

static const char *const vgamem_devices[] = { "VGA",     "secondary-vga", "cirrus-vga", "isa-vga",     "isa-cirrus-vga",
	                                          "ati-vga", "qxl",           "qxl-vga",    "vmware-svga", NULL };

static const char *const edid_devices[] = { "VGA", "secondary-vga", NULL };

bool utm__display_has_vga_memory(const char *hardware)
{
	return g_strv_contains(vgamem_devices, hardware);
}

bool utm__display_is_gl(const char *hardware)
{
	return g_str_has_suffix(hardware, "-gl") || strstr(hardware, "-gl-");
}

/* Which display gets OpenGL: all that ask in UTM, at most one elsewhere, where QEMU takes only one. */
void utm__argv_decide_displays(UtmArgvBuilder *b)
{
	if (!b->macos && !b->facts->gl && !b->facts->render_node)
		return;
	for (gsize i = 0; i < b->config->display_count && b->gl_display < 0; i++) {
		const char *hardware = b->config->display[i]->hardware;

		if (hardware && utm__display_is_gl(hardware))
			b->gl_display = (int)i;
	}
}

static const char *without_gl(UtmArgvBuilder *b, const char *hardware)
{
	const char *part = strstr(hardware, "-gl-");
	g_autofree char *name = NULL;

	if (!part && g_str_has_suffix(hardware, "-gl"))
		part = hardware + strlen(hardware) - 3;
	if (!part)
		return hardware;
	name = g_strdup_printf("%.*s%s", (int)(part - hardware), hardware, part + 3);
	return g_string_chunk_insert(b->chunk, name);
}

static const char *choose_device(UtmArgvBuilder *b, const char *hardware, guint index)
{
	for (gsize i = 0; i < G_N_ELEMENTS(substitutes); i++) {
		if (!strcmp(hardware, substitutes[i].utm) && !utm__has_device(b, hardware))
			hardware = substitutes[i].stock;
	}
	if (!utm__display_is_gl(hardware) || b->gl_display == (int)index)
		return hardware;
	utm__warn(b, UTM_ARGV_HOST_LACKS, "%s becomes %s: %s", hardware, without_gl(b, hardware),
	          b->gl_display < 0 ? "the host has no render node for OpenGL" : "QEMU has OpenGL for one display only");
	return without_gl(b, hardware);
}

static void add_mended(UtmArgvBuilder *b, const UtmConfigDisplay *display, guint index, const char *hardware)
{
	const char *device = choose_device(b, hardware, index);

	if (!utm__has_device(b, device)) {
		utm__warn(b, UTM_ARGV_HOST_LACKS, "this QEMU has no %s; the display is left out", device);
		return;
	}
	utm__add(b, "-device", "%s", device);
	if (display->has_vga_ram_mib && utm__display_has_vga_memory(device))
		utm__add_more(b, ",vgamem_mb=%" G_GINT64_FORMAT, display->vga_ram_mib);
	if (b->classic_mac_ppc && g_strv_contains(edid_devices, device))
		utm__add_more(b, ",edid=on");
	if (utm__display_is_gl(device) && (b->macos || (b->facts->venus && utm__has_capability(b, "venus"))))
		utm__add_more(b, ",hostmem=256M,blob=true,venus=true");
}

/* With UTM's faults: the first display's memory on every device, whether it has the property or not. */
static void add_utm(UtmArgvBuilder *b, const char *hardware)
{
	const UtmConfigDisplay *first = b->config->display[0];
	g_autofree char *lower = g_ascii_strdown(hardware, -1);

	utm__add(b, "-device", "%s", hardware);
	if (first->has_vga_ram_mib)
		utm__add_more(b, ",vgamem_mb=%" G_GINT64_FORMAT, first->vga_ram_mib);
	if (b->classic_mac_ppc && strstr(lower, "vga"))
		utm__add_more(b, ",edid=on");
	if (utm__display_is_gl(hardware))
		utm__add_more(b, ",hostmem=256M,blob=true,venus=true");
}

static void add_display(UtmArgvBuilder *b, const UtmConfigDisplay *display, guint index)
{
	const char *hardware;

	utm__builder_at(b, "Display[%u].Hardware", index);
	hardware = utm__name(b, display->hardware, "device");
	/* On the Quadra's own board. */
	if (!strcmp(hardware, "nubus-macfb"))
		return;
	if (b->exact)
		add_utm(b, hardware);
	else
		add_mended(b, display, index, hardware);
}

static void add_sparc(UtmArgvBuilder *b, const UtmConfigDisplay *display)
{
	utm__builder_at(b, "Display[0].Hardware");
	const char *hardware = utm__name(b, display->hardware, "device");
	/* As the option has it, the device VGA is "std"; UTM says VGA, and QEMU refuses. */
	utm__add(b, "-vga", "%s", !b->exact && !strcmp(hardware, "VGA") ? "std" : hardware);
	if (b->exact && display->has_vga_ram_mib)
		utm__add_more(b, ",vgamem_mb=%" G_GINT64_FORMAT, display->vga_ram_mib);
}

static void add_none(UtmArgvBuilder *b)
{
	/* -nographic would also hand a SPARC machine's serial port the standard streams. */
	if (b->macos)
		utm__add_flag(b, "-nographic");
	else
		utm__add(b, "-display", "none");
}

void utm__argv_display(UtmArgvBuilder *b)
{
	if (!b->config->display_count) {
		add_none(b);
	} else if (b->architecture->traits & UTM_ARCH_SPARC) {
		add_sparc(b, b->config->display[0]);
	} else {
		for (gsize i = 0; i < b->config->display_count; i++)
			add_display(b, b->config->display[i], (guint)i);
	}
}
