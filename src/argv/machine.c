/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machine type with its properties, and the accelerator. */
#include "argv/groups.h"

#include <string.h>

/* --- accelerator --- */

static bool is_proven(const UtmArgvBuilder *b)
{
	for (gsize i = 0; i < b->facts->accelerated_count; i++) {
		if (!g_strcmp0(b->facts->accelerated[i], b->architecture->name))
			return true;
	}
	return false;
}

static bool is_same_architecture(const UtmArgvBuilder *b)
{
	const char *guest = b->architecture->name;

	return !g_strcmp0(b->facts->architecture, guest) && (!strcmp(guest, "x86_64") || !strcmp(guest, "aarch64"));
}

/* ARM boards are made with a processor of their own, which is not the host's. */
static bool takes_host_cpu(const UtmArgvBuilder *b)
{
	return is_same_architecture(b) && (b->virt || !(b->architecture->traits & UTM_ARCH_ARM));
}

/* Forced: KVM, or nothing. */
static bool force_kvm(UtmArgvBuilder *b)
{
	const char *host = b->facts->architecture ? b->facts->architecture : "unknown";
	bool narrow_pc = !strcmp(b->architecture->name, "i386") && !strcmp(host, "x86_64");

	if (takes_host_cpu(b) || narrow_pc)
		return true;
	utm__builder_at(b, "System.Target");
	if (is_same_architecture(b)) {
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "KVM does not run machine %s; it runs virt", b->target);
		return false;
	}
	utm__builder_at(b, "System.Architecture");
	utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "KVM does not run %s guests on %s hosts", b->architecture->name, host);
	return false;
}

/* When it was tried and does not work, people want to know why their guest is slow. */
static bool check_proven(UtmArgvBuilder *b)
{
	if (is_proven(b))
		return true;
	for (gsize i = 0; i < b->facts->accelerators_count; i++) {
		const UtmHostFeature *tried = b->facts->accelerators[i];

		if (!g_strcmp0(tried->name, "kvm") && tried->state > UTM_HOST_FEATURE_STATE_WORKS) {
			utm__builder_at(b, "QEMU.Hypervisor");
			utm__warn(b, UTM_ARGV_HOST_LACKS, "KVM is not used, the guest is emulated: %s",
			          tried->reason ? tried->reason : "it does not work");
		}
	}
	return false;
}

static bool choose_kvm(UtmArgvBuilder *b)
{
	switch (b->facts->acceleration) {
	case UTM_HOST_ACCELERATION_KVM:
		return force_kvm(b);
	case UTM_HOST_ACCELERATION_TCG:
		return false;
	case UTM_HOST_ACCELERATION_CONFIG:
		return b->config->qemu->hypervisor && takes_host_cpu(b) && check_proven(b);
	default:
		/* The bundle's own key only tells what the Mac that made it could do. */
		return takes_host_cpu(b) && check_proven(b);
	}
}

void utm__argv_decide_accelerator(UtmArgvBuilder *b)
{
	if (b->macos)
		b->accelerated = b->config->qemu->hypervisor && (b->exact ? is_same_architecture(b) : takes_host_cpu(b));
	else
		b->accelerated = choose_kvm(b);
}

static int get_os_major(const UtmArgvBuilder *b)
{
	return b->facts->os_version ? (int)g_ascii_strtoll(b->facts->os_version, NULL, 10) : G_MAXINT;
}

static void add_hvf(UtmArgvBuilder *b)
{
	utm__add(b, "-accel", "hvf");
	/* Intel processors keep that order anyway, and UTM asks for it there too. */
	bool tso = b->config->qemu->tso && (b->exact || !g_strcmp0(b->facts->architecture, "aarch64"));

	if (tso && get_os_major(b) >= 15)
		utm__add_more(b, ",tso=on");
	if (b->gl_display >= 0)
		utm__add_more(b, ",ipa-granule-size=0x1000");
}

static void add_tcg(UtmArgvBuilder *b)
{
	const UtmConfigSystem *system = b->config->system;
	int64_t cache = system->jit_cache_size > 0 ? system->jit_cache_size : system->memory_size / 4;

	utm__builder_at(b, "System.JITCacheSize");
	utm__add(b, "-accel", "tcg%s,tb-size=%" G_GINT64_FORMAT, system->force_multicore ? ",thread=multi" : "",
	         b->exact ? cache : MAX(cache, 1));
}

static void add_accelerator(UtmArgvBuilder *b)
{
	utm__builder_at(b, "QEMU.Hypervisor");
	if (!b->accelerated)
		add_tcg(b);
	else if (b->macos)
		add_hvf(b);
	else
		utm__add(b, "-accel", "kvm");
}

/* --- properties --- */

/* A comma at the end of the user's text would quote the one that follows it. */
static const char *get_override(UtmArgvBuilder *b)
{
	const char *text = b->config->qemu->machine_property_override;
	g_autofree char *trimmed = NULL;
	gsize length;

	if (!text || b->exact)
		return text;
	trimmed = g_strdup(text + strspn(text, ", \t\r\n"));
	length = strlen(trimmed);
	while (length && strchr(", \t\r\n", trimmed[length - 1]))
		trimmed[--length] = '\0';
	return g_string_chunk_insert(b->chunk, trimmed);
}

/* Whether the properties so far set `name`: a doubled comma belongs to a value and separates nothing. */
static bool has_property(const char *properties, const char *name)
{
	gsize length = strlen(name);

	while (*properties) {
		if (!strncmp(properties, name, length) && properties[length] == '=')
			return true;
		while (*properties && (*properties != ',' || properties[1] == ','))
			properties += *properties == ',' ? 2 : 1;
		properties += *properties == ',';
	}
	return false;
}

static bool is_given(const UtmArgvBuilder *b, const char *name)
{
	const char *properties = strchr(b->value->str, ',');
	g_autofree char *assignment = g_strdup_printf("%s=", name);

	if (!properties)
		return false;
	/* UTM looks for the text anywhere, even inside another property's name or value. */
	return b->exact ? strstr(properties + 1, assignment) != NULL : has_property(properties + 1, name);
}

static void add_property(UtmArgvBuilder *b, bool condition, const char *name, const char *value)
{
	if (condition && !is_given(b, name))
		utm__add_more(b, ",%s=%s", name, value);
}

/* Boards whose own sound chip wants a back end; without one QEMU 8.2 and later stop. */
static bool needs_audiodev(UtmArgvBuilder *b)
{
	if (b->exact)
		return b->classic_mac_68k && utm__has_sound_card(b, "asc");
	return (b->machine->traits & UTM_MACHINE_AUDIO) && b->config->sound_count &&
	       utm__has_capability(b, "machine-audiodev");
}

static bool is_old_macos(const UtmArgvBuilder *b)
{
	const char *minor = b->facts->os_version ? strchr(b->facts->os_version, '.') : NULL;
	int major = get_os_major(b);

	return b->macos && (major < 12 || (major == 12 && (!minor || g_ascii_strtoll(minor + 1, NULL, 10) < 4)));
}

static bool is_virt(const UtmArgvBuilder *b)
{
	if (!strcmp(b->target, "virt"))
		return true;
	return g_str_has_prefix(b->target, "virt-") && !g_str_has_prefix(b->architecture->name, "riscv");
}

static void add_arm_properties(UtmArgvBuilder *b)
{
	bool wide = !strcmp(b->architecture->name, "aarch64");
	bool many = b->exact ? wide && b->cores > 8 : (b->architecture->traits & UTM_ARCH_ARM) && b->threads > 8;

	if (!is_virt(b))
		return;
	add_property(b, is_old_macos(b), "highmem", "off");
	add_property(b, wide && !b->accelerated, "virtualization", "on");
	/* The older interrupt controller serves eight CPUs. */
	add_property(b, many, "gic-version", "3");
}

void utm__argv_machine(UtmArgvBuilder *b)
{
	const char *override = get_override(b);

	utm__builder_at(b, "System.Target");
	utm__add(b, "-machine", "%s", b->target);
	if (override && *override)
		utm__add_more(b, ",%s", override);
	add_property(b, b->pc, "vmport", "off");
	add_property(b, b->pc && b->usb && !b->config->qemu->ps2_controller, "i8042", "off");
	add_property(b, b->pc && b->host_audio && utm__has_sound_card(b, "pcspk"), "pcspk-audiodev", "audio1");
	add_property(b, b->pc, "hpet", "off");
	add_arm_properties(b);
	add_property(b, needs_audiodev(b), "audiodev", "audio0");
	add_property(b, b->classic_mac_ppc, "via", "pmu");
	add_property(b, b->firmware.smm, "smm", "on");
	add_accelerator(b);
}
