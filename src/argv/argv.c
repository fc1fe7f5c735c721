/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line as an object, and the order of its groups.
 *
 * The order is UTM's. It matters in places: the user's arguments come last so that they override, and devices come
 * after the buses they sit on.
 */
#include "argv/groups.h"

#include <string.h>

struct UtmArgv {
	gint refs;
	GStringChunk *chunk;
	GPtrArray *strings; /* the program first, NULL last */
	GPtrArray *key_paths;
	GByteArray *values; /* see the builder */
	GPtrArray *warnings;
};

typedef void (*Step)(UtmArgvBuilder *b);

static const Step steps[] = {
	/* Decisions that several groups share. */
	utm__argv_decide_user,
	utm__argv_decide_accelerator,
	utm__argv_decide_cores,
	utm__argv_decide_firmware,
	utm__argv_decide_displays,
	utm__argv_decide_sound,
	/* Arguments. */
	utm__argv_start,
	utm__argv_spice,
	utm__argv_network,
	utm__argv_display,
	utm__argv_serial,
	utm__argv_cpu,
	utm__argv_machine,
	utm__argv_firmware,
	utm__argv_sound,
	utm__argv_usb,
	utm__argv_pointer,
	utm__argv_drives,
	utm__argv_agent,
	utm__argv_misc,
	utm__argv_user,
};

static bool is_pc(const UtmArgvBuilder *b)
{
	if (!(b->architecture->traits & UTM_ARCH_X86))
		return false;
	return g_str_has_prefix(b->target, "pc") || !strcmp(b->target, "q35") || !strcmp(b->target, "isapc");
}

/* The predicates that are one comparison each. */
static void describe_machine(UtmArgvBuilder *b)
{
	const UtmConfigSystem *system = b->config->system;
	const char *architecture = utm__config_enum_get_text("Architecture", system->architecture);

	g_autofree char *uuid = g_ascii_strup(b->config->information->uuid ? b->config->information->uuid : "", -1);

	b->uuid = g_string_chunk_insert(b->chunk, uuid);
	utm__builder_at(b, "System.Architecture");
	b->architecture = utm__architecture_find(architecture);
	if (!b->architecture) {
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "no QEMU architecture");
		return;
	}
	utm__builder_at(b, "System.Target");
	b->target = utm__name(b, system->target, "machine");
	b->machine = utm__machine_find(b->architecture->name, b->target);
	b->pc = is_pc(b);
	b->virt = g_str_has_prefix(b->target, "virt");
	b->classic_mac_68k = !strcmp(b->architecture->name, "m68k") && !strcmp(b->target, "q800");
	b->classic_mac_ppc = (b->architecture->traits & UTM_ARCH_POWERPC) && !strcmp(b->target, "mac99");
	b->usb = (b->architecture->traits & UTM_ARCH_USB) && strcmp(b->target, "isapc") &&
	         b->config->input->usb_bus_support != UTM_CONFIG_USB_BUS_DISABLED;
	b->usb_card = b->virt || (!b->exact && b->machine->traits & UTM_MACHINE_BARE_USB);
	if (!b->exact)
		b->usb = b->usb && (b->machine->traits & (UTM_MACHINE_PCI | UTM_MACHINE_USB));
}

static void add_program(UtmArgvBuilder *b)
{
	g_autofree char *name = g_strdup_printf("qemu-system-%s", b->architecture->name);

	utm__builder_at(b, "System.Architecture");
	utm__add_flag(b, b->facts->qemu_path ? b->facts->qemu_path : name);
}

static UtmArgv *take_result(UtmArgvBuilder *b)
{
	UtmArgv *argv = g_new0(UtmArgv, 1);

	g_ptr_array_add(b->strings, NULL);
	argv->refs = 1;
	argv->chunk = g_steal_pointer(&b->chunk);
	argv->strings = g_steal_pointer(&b->strings);
	argv->key_paths = g_steal_pointer(&b->key_paths);
	argv->values = g_steal_pointer(&b->values);
	argv->warnings = g_steal_pointer(&b->warnings);
	return argv;
}

static void build(UtmArgvBuilder *b)
{
	describe_machine(b);
	if (b->error || !b->architecture)
		return;
	add_program(b);
	for (gsize i = 0; i < G_N_ELEMENTS(steps) && !b->error; i++) {
		utm__builder_at(b, NULL);
		steps[i](b);
	}
	utm__builder_flush(b);
}

static void prepare(UtmArgvBuilder *b, const UtmConfig *config, const char *bundle_path, const UtmHost *host)
{
	static const UtmArgvRuntime no_runtime = UTM_ARGV_RUNTIME_INIT;

	*b = (UtmArgvBuilder){ .gl_display = -1, .runtime = &no_runtime, .bundle_path = bundle_path };
	b->config = utm__config_get_qemu(config);
	b->facts = utm__host_get_facts(host);
	b->macos = b->facts->system == UTM_HOST_SYSTEM_MACOS;
	b->exact = b->macos && b->facts->utm_exact;
	utm__builder_init(b);
}

int utm__argv_build(const UtmConfig *config, const char *bundle_path, const UtmHost *host,
                    const UtmArgvRuntime *runtime, UtmArgv **ret_argv, UtmError **error)
{
	UtmArgvBuilder b;
	int result = 0;

	if (!config || !bundle_path || !host || !ret_argv)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "configuration, bundle path, host and result are needed");
	if (!utm__config_get_qemu(config))
		return utm__fail_take(error, utm__backend_unsupported());
	prepare(&b, config, bundle_path, host);
	b.runtime = runtime ? runtime : b.runtime;
	build(&b);
	if (b.error)
		result = utm__fail_take(error, g_steal_pointer(&b.error));
	else
		*ret_argv = take_result(&b);
	utm__builder_clear(&b);
	return result;
}

UtmArgv *utm__argv_inspect(const UtmConfig *config, const char *bundle_path, const UtmHost *host, GArray *problems)
{
	UtmArgvBuilder b;
	UtmArgv *argv;

	prepare(&b, config, bundle_path, host);
	b.problems = problems;
	build(&b);
	argv = take_result(&b);
	utm__builder_clear(&b);
	return argv;
}

int utm_argv_build(const UtmConfig *config, const char *bundle_path, const UtmHost *host, UtmArgv **ret_argv,
                   UtmError **error)
{
	return utm__argv_build(config, bundle_path, host, NULL, ret_argv, error);
}

UtmArgv *utm_argv_ref(UtmArgv *argv)
{
	if (argv)
		g_atomic_int_inc(&argv->refs);
	return argv;
}

void utm_argv_unref(UtmArgv *argv)
{
	if (!argv || !g_atomic_int_dec_and_test(&argv->refs))
		return;
	g_ptr_array_unref(argv->strings);
	g_ptr_array_unref(argv->key_paths);
	g_byte_array_unref(argv->values);
	g_ptr_array_unref(argv->warnings);
	g_string_chunk_free(argv->chunk);
	g_free(argv);
}

const char *utm_argv_get_program(const UtmArgv *argv)
{
	return argv ? argv->strings->pdata[0] : NULL;
}

const char *const *utm_argv_get_strings(const UtmArgv *argv)
{
	return argv ? (const char *const *)argv->strings->pdata + 1 : NULL;
}

size_t utm_argv_get_count(const UtmArgv *argv)
{
	/* One that was only inspected may lack even the program. */
	return argv && argv->strings->len > 1 ? argv->strings->len - 2 : 0;
}

const char *utm_argv_get_key_path(const UtmArgv *argv, size_t index)
{
	return index < utm_argv_get_count(argv) ? argv->key_paths->pdata[index + 1] : NULL;
}

bool utm__argv_is_value(const UtmArgv *argv, size_t index)
{
	return index < utm_argv_get_count(argv) && argv->values->data[index + 1];
}

const char *utm_argv_get_reason(const UtmArgv *argv, size_t index)
{
	const char *const *strings = utm_argv_get_strings(argv);
	size_t option = index - utm__argv_is_value(argv, index);

	if (index >= utm_argv_get_count(argv))
		return NULL;
	return utm__argv_reason(strings[option], utm__argv_is_value(argv, option + 1) ? strings[option + 1] : NULL,
	                        utm_argv_get_key_path(argv, index));
}

size_t utm_argv_get_warning_count(const UtmArgv *argv)
{
	return argv ? argv->warnings->len : 0;
}

const char *utm_argv_get_warning(const UtmArgv *argv, size_t index)
{
	return index < utm_argv_get_warning_count(argv) ? argv->warnings->pdata[index] : NULL;
}
