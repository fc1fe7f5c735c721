/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Name, identity, clock, and the small devices: random numbers, memory balloon, TPM. */
#include "argv/groups.h"

#include <string.h>

/* Letters, marks, numbers, space separators and tabs. */
static bool is_name_character(gunichar c)
{
	switch (g_unichar_type(c)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_FORMAT:
	case G_UNICODE_UNASSIGNED:
	case G_UNICODE_PRIVATE_USE:
	case G_UNICODE_SURROGATE:
	case G_UNICODE_CONNECT_PUNCTUATION:
	case G_UNICODE_DASH_PUNCTUATION:
	case G_UNICODE_CLOSE_PUNCTUATION:
	case G_UNICODE_FINAL_PUNCTUATION:
	case G_UNICODE_INITIAL_PUNCTUATION:
	case G_UNICODE_OTHER_PUNCTUATION:
	case G_UNICODE_OPEN_PUNCTUATION:
	case G_UNICODE_CURRENCY_SYMBOL:
	case G_UNICODE_MODIFIER_SYMBOL:
	case G_UNICODE_MATH_SYMBOL:
	case G_UNICODE_OTHER_SYMBOL:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
		return c == '\t';
	default:
		return true;
	}
}

static char *clean_name(const char *name)
{
	g_autofree char *valid = g_utf8_make_valid(name ? name : "", -1);
	GString *clean = g_string_new(NULL);

	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if (is_name_character(c))
			g_string_append_unichar(clean, c);
	}
	return g_string_free(clean, FALSE);
}

static void add_identity(UtmArgvBuilder *b)
{
	g_autofree char *name = clean_name(b->config->information->name);

	utm__builder_at(b, "Information.Name");
	/* Alone, this word would make QEMU print its options and end. */
	utm__add(b, "-name", "%s%s", !b->exact && !strcmp(name, "help") ? "guest=" : "", name);
	utm__builder_at(b, NULL);
	if (b->runtime->disposable)
		utm__add_flag(b, "-snapshot");
	utm__builder_at(b, "Information.UUID");
	if (!b->exact && !g_uuid_string_is_valid(b->uuid))
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "\"%s\" is no UUID", b->uuid);
	utm__add(b, "-uuid", "%s", b->uuid);
}

static void add_virtio(UtmArgvBuilder *b, const char *kind, const char *key)
{
	const char *device = b->exact ? NULL : utm__virtio_device(b, kind, false);

	utm__builder_at(b, "%s", key);
	if (b->exact)
		utm__add(b, "-device", "virtio-%s-pci", kind);
	else if (device)
		utm__add(b, "-device", "%s", device);
	else
		utm__warn(b, UTM_ARGV_NO_PLACE, "machine %s has no place for this device; it is left out", b->target);
}

static const char *choose_tpm(UtmArgvBuilder *b)
{
	const char *architecture = b->architecture->name;

	if (b->exact && b->virt)
		return "tpm-crb-device";
	if (b->exact)
		return !strcmp(architecture, "ppc64") ? "tpm-spapr" : "tpm-tis";
	if (b->pc)
		return "tpm-tis";
	if (utm__machine_is_family(b->target, "pseries"))
		return "tpm-spapr";
	if (!utm__machine_is_family(b->target, "virt") || !b->architecture->code)
		return NULL;
	if (b->macos)
		return "tpm-crb-device";
	return strcmp(architecture, "loongarch64") || utm__has_capability(b, "loongarch64-tpm") ? "tpm-tis-device" : NULL;
}

static void add_tpm(UtmArgvBuilder *b)
{
	const char *device = choose_tpm(b);

	utm__builder_at(b, "QEMU.TPMDevice");
	if (!device || !utm__has_device(b, device)) {
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "machine %s has no TPM", b->target);
		return;
	}
	if (b->runtime->tpm_fd >= 0)
		utm__add(b, "-chardev", "socket,id=chrtpm0,fd=%d", b->runtime->tpm_fd);
	else
		utm__add(b, "-chardev", "socket,id=chrtpm0,path=%s.swtpm", utm__text(b, b->uuid));
	utm__add(b, "-tpmdev", "emulator,id=tpm0,chardev=chrtpm0");
	utm__add(b, "-device", "%s,tpmdev=tpm0", device);
}

void utm__argv_misc(UtmArgvBuilder *b)
{
	const UtmConfigOptions *options = b->config->qemu;

	add_identity(b);
	utm__builder_at(b, "QEMU.RTCLocalTime");
	if (options->rtc_local_time)
		utm__add(b, "-rtc", "base=localtime");
	if (options->rng_device)
		add_virtio(b, "rng", "QEMU.RNGDevice");
	if (options->balloon_device)
		add_virtio(b, "balloon", "QEMU.BalloonDevice");
	if (options->tpm_device)
		add_tpm(b);
}
