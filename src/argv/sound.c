/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sound cards and their back ends.
 *
 * audio0 goes to the SPICE client, audio1 to the host's own sound system. The PC speaker only works with the latter.
 */
#include "argv/groups.h"

#include <string.h>

/* Chips on the board: no device of their own. */
static const char *const on_board[] = { "pcspk", "screamer", "asc", NULL };

bool utm__has_sound_card(const UtmArgvBuilder *b, const char *hardware)
{
	for (gsize i = 0; i < b->config->sound_count; i++) {
		if (!g_strcmp0(b->config->sound[i]->hardware, hardware))
			return true;
	}
	return false;
}

void utm__argv_decide_sound(UtmArgvBuilder *b)
{
	b->host_audio = b->facts->sound == UTM_HOST_SOUND_HOST || utm__has_sound_card(b, "pcspk");
}

/* Without sound, QEMU 8.2 and later want to be told so, and earlier ones do not know the word. */
static void add_silence(UtmArgvBuilder *b)
{
	bool screamer = utm__has_sound_card(b, "screamer");

	if (b->macos && screamer)
		utm__add(b, "-audio", "coreaudio");
	else if (!b->config->sound_count || screamer) {
		if (b->macos || utm__has_capability(b, "audio-none"))
			utm__add(b, "-audio", "none");
	}
	if (screamer && !b->macos)
		utm__warn(b, UTM_ARGV_HOST_LACKS, "this QEMU has no screamer; the machine has no sound");
}

static const char *get_host_driver(UtmArgvBuilder *b)
{
	const char *driver = b->facts->host_audio;

	if (b->macos)
		return "coreaudio";
	if (!driver)
		return "none";
	if (!strcmp(driver, "pipewire") && !utm__has_capability(b, "audiodev-pipewire"))
		return "pa";
	return utm__name(b, driver, "sound system");
}

static void add_card(UtmArgvBuilder *b, guint index, const char *hardware)
{
	bool host = b->facts->sound == UTM_HOST_SOUND_HOST;
	const char *device;

	utm__builder_at(b, "Sound[%u].Hardware", index);
	device = utm__name(b, hardware, "device");
	if (!b->macos && !strcmp(device, "asc") && !utm__has_capability(b, "machine-audiodev"))
		utm__warn(b, UTM_ARGV_HOST_LACKS, "this QEMU has no asc; the machine has no sound");
	if (g_strv_contains(on_board, device))
		return;
	if (!utm__has_device(b, device)) {
		utm__warn(b, UTM_ARGV_HOST_LACKS, "this QEMU has no %s; the sound card is left out", device);
	} else if (strstr(device, "hda")) {
		utm__add(b, "-device", "%s", device);
		utm__add(b, "-device", "%s", host ? "hda-output,audiodev=audio1" : "hda-duplex,audiodev=audio0");
	} else {
		utm__add(b, "-device", "%s,audiodev=%s", device, host ? "audio1" : "audio0");
	}
}

void utm__argv_sound(UtmArgvBuilder *b)
{
	utm__builder_at(b, "Sound");
	add_silence(b);
	if (b->host_audio)
		utm__add(b, "-audiodev", "%s,id=audio1", get_host_driver(b));
	utm__add(b, "-audiodev", "spice,id=audio0");
	for (gsize i = 0; i < b->config->sound_count; i++)
		add_card(b, (guint)i, b->config->sound[i]->hardware);
}
