/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest starts from before its drives: sleep states, UEFI flash, the ROMs of classic Macs; and its memory. */
#include "argv/groups.h"

#include <string.h>

/* Most of the stores that UTM copies into packages are qcow2. */
static const char *get_vars_format(const UtmArgvBuilder *b)
{
	bool raw = b->macos && b->architecture->code &&
	           (strstr(b->architecture->code, "riscv") || strstr(b->architecture->code, "loongarch"));

	if (b->facts->efi_vars_format)
		return b->facts->efi_vars_format;
	return raw ? "raw" : "qcow2";
}

static void add_vars(UtmArgvBuilder *b)
{
	utm__add(b, "-drive", "if=pflash");
	/* UTM lets QEMU guess, which a guest that rewrites the file can exploit. */
	if (!b->exact)
		utm__add_more(b, ",format=%s", utm__name(b, get_vars_format(b), "disk format"));
	utm__add_more(b, ",unit=1,file.filename=%s/Data/efi_vars.fd", utm__quote(b, b->bundle_path));
	if (!b->facts->file_lock)
		utm__add_more(b, ",file.locking=off");
}

static void add_code(UtmArgvBuilder *b, const char *path)
{
	const char *format = b->macos ? NULL : utm__image_format_from_name(path);

	utm__add(b, "-drive", "if=pflash,format=%s,unit=0,file.filename=%s,file.locking=off,readonly=on",
	         format ? format : "raw", utm__quote(b, path));
}

static void add_utm_flash(UtmArgvBuilder *b)
{
	const UtmArgvArchitecture *architecture = b->architecture;
	bool secure = utm__firmware_is_secure(b->config) && architecture->secure_code;
	g_autofree char *path = NULL;

	if (!b->config->qemu->uefi_boot || !architecture->code || utm__firmware_is_custom(b->config))
		return;
	path = g_strdup_printf("%s/qemu/%s", b->facts->cache_dir, secure ? architecture->secure_code : architecture->code);
	add_code(b, path);
	add_vars(b);
}

static void add_flash(UtmArgvBuilder *b)
{
	if (!b->firmware.code)
		return;
	add_code(b, b->firmware.code);
	add_vars(b);
}

static char *in_cache(UtmArgvBuilder *b, const char *name)
{
	g_autofree char *path = name ? g_strdup_printf("%s/qemu/%s", b->facts->cache_dir, name) : NULL;

	return path ? g_string_chunk_insert(b->chunk, path) : NULL;
}

/* UTM brings its own images, so a Mac's facts need not name any. */
static int choose_firmware(UtmArgvBuilder *b, UtmError **error)
{
	UtmHostFirmware own = { .architecture = (char *)b->architecture->name,
		                    .code = in_cache(b, b->architecture->code),
		                    .secure_code = in_cache(b, b->architecture->secure_code) };
	UtmHostFirmware *list[] = { &own };
	UtmHostFacts facts = *b->facts;
	int code;

	if (b->macos && !facts.firmware_count) {
		facts.firmware = list;
		facts.firmware_count = 1;
	}
	code = utm__firmware_choose(&facts, b->config, &b->firmware, error);
	/* UTM leaves the machine's own default, which is on where it can be. */
	b->firmware.smm = b->firmware.smm && !b->macos;
	return code;
}

void utm__argv_decide_firmware(UtmArgvBuilder *b)
{
	UtmError *error = NULL;

	if (b->exact)
		return;
	if (choose_firmware(b, &error) < 0) {
		utm__refuse_error(b, error);
		return;
	}
	utm__builder_at(b, "QEMU.UEFIBoot");
	if (b->config->qemu->uefi_boot && !b->firmware.code && !utm__firmware_is_custom(b->config))
		utm__warn(b, UTM_ARGV_NO_PLACE, "the machine has no flash for UEFI; it boots without");
}

/* Small ROMs that UTM ships, for devices that the classic systems do not know by themselves. */
static void add_classic_mac(UtmArgvBuilder *b)
{
	g_autofree char *cache = b->macos ? g_strdup_printf("%s/qemu", b->facts->cache_dir) : g_strdup(b->facts->roms_dir);
	const char *dir = cache ? utm__quote(b, cache) : NULL;

	if (!dir && (b->classic_mac_68k || b->classic_mac_ppc))
		utm__warn(b, UTM_ARGV_HOST_LACKS, "the host has no ROM for paravirtual devices on %s", b->target);
	if (!dir)
		return;
	if (b->classic_mac_68k && utm__has_device(b, "nubus-virtio-mmio"))
		utm__add(b, "-device", "nubus-virtio-mmio,romfile=%s/m68k-declrom", dir);
	if (b->classic_mac_ppc) {
		utm__add(b, "-device", "loader,addr=0x4000000,file=%s/ppc-ndrvloader", dir);
		utm__add(b, "-prom-env", "boot-command=init-program go");
	}
}

static void add_memory(UtmArgvBuilder *b)
{
	int64_t mib = b->config->system->memory_size;

	utm__builder_at(b, "System.MemorySize");
	if (mib < 1 || mib > G_MAXINT64 >> 20)
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "%" G_GINT64_FORMAT " MiB is no size for a guest", mib);
	utm__add(b, "-m", "%" G_GINT64_FORMAT, mib);
}

void utm__argv_firmware(UtmArgvBuilder *b)
{
	if (b->architecture->traits & UTM_ARCH_X86) {
		utm__add(b, "-global", "PIIX4_PM.disable_s3=1");
		utm__add(b, "-global", "ICH9-LPC.disable_s3=1");
	}
	utm__builder_at(b, "QEMU.UEFIBoot");
	if (b->firmware.smm)
		utm__add(b, "-global", "driver=cfi.pflash01,property=secure,value=on");
	if (b->exact)
		add_utm_flash(b);
	else
		add_flash(b);
	utm__builder_at(b, "System.Target");
	add_classic_mac(b);
	add_memory(b);
}
