/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the ledger and real QEMUs tell, and programs that are no QEMU. */
#include "host/hardware.h"

#include "tree.h"

#include <string.h>
#include <sys/stat.h>

static const char *const architectures[] = {
	"alpha",      "arm",          "aarch64", "avr",    "hppa",     "i386",     "loongarch64", "m68k",
	"microblaze", "microblazeel", "mips",    "mipsel", "mips64",   "mips64el", "or1k",        "ppc",
	"ppc64",      "riscv32",      "riscv64", "rx",     "s390x",    "sh4",      "sh4eb",       "sparc",
	"sparc64",    "tricore",      "x86_64",  "xtensa", "xtensaeb",
};

static UtmHardware *query(UtmContext *context, const char *architecture, uint32_t flags)
{
	g_autoptr(UtmError) error = NULL;
	UtmHardware *hardware = NULL;
	int code = utm_hardware_query(context, architecture, flags, &hardware, &error);

	if (code < 0)
		g_error("%s: %d %s", architecture, code, utm_error_get_message(error));
	return hardware;
}

/* A context whose only QEMU of the architecture is a script. */
static UtmContext *context_with(const char *dir)
{
	const char *const dirs[] = { dir, NULL };
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	UtmContext *context;

	options.qemu_dirs = dirs;
	context = utm_context_new(&options, NULL);
	g_assert_nonnull(context);
	return context;
}

static void write_program(const char *dir, const char *name, const char *script)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	g_assert_true(g_file_set_contents(path, script, -1, NULL));
	g_assert_cmpint(chmod(path, 0755), ==, 0);
}

/* --- the ledger --- */

static void test_snapshot_has_all(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(architectures); i++) {
		g_autoptr(UtmHardware) hardware = query(NULL, architectures[i], 0);

		g_assert_cmpstr(utm_hardware_get_architecture(hardware), ==, architectures[i]);
		g_assert_null(utm_hardware_get_qemu_path(hardware));
		g_assert_cmpstr(utm_hardware_get_qemu_version(hardware), !=, "");
		g_assert_cmpuint(utm_hardware_get_count(hardware, UTM_HARDWARE_MACHINE), >=, 2);
		g_assert_cmpuint(utm_hardware_get_count(hardware, UTM_HARDWARE_CPU), >=, 2);
		g_assert_cmpstr(utm_hardware_get(hardware, UTM_HARDWARE_CPU, 0)->name, ==, "default");
		g_assert_nonnull(utm_hardware_find(hardware, UTM_HARDWARE_MACHINE, "none"));
	}
}

static void test_snapshot_facts(void)
{
	g_autoptr(UtmHardware) pc = query(NULL, "x86_64", 0);
	g_autoptr(UtmHardware) arm = query(NULL, "aarch64", 0);
	g_autoptr(UtmHardware) sparc = query(NULL, "sparc", 0);
	const UtmHardwareItem *q35 = utm_hardware_find(pc, UTM_HARDWARE_MACHINE, "q35");
	const UtmHardwareItem *e1000 = utm_hardware_find(pc, UTM_HARDWARE_NETWORK, "e1000");

	g_assert_true(g_str_has_prefix(q35->name, "pc-q35-"));
	g_assert_cmpuint(q35->max_cpus, ==, 288);
	g_assert_cmpuint(q35->size, ==, sizeof(UtmHardwareItem));
	g_assert_cmpstr(e1000->bus, ==, "PCI");
	g_assert_null(e1000->description);
	g_assert_nonnull(utm_hardware_find(pc, UTM_HARDWARE_CPU_FLAG, "vmx"));
	g_assert_null(utm_hardware_find(pc, UTM_HARDWARE_CPU_FLAG, "start-powered-off"));
	g_assert_nonnull(utm_hardware_find(arm, UTM_HARDWARE_CPU, "cortex-a72"));
	g_assert_null(utm_hardware_find(pc, UTM_HARDWARE_SOUND, "hda-duplex"));
	g_assert_cmpstr(utm_hardware_find(pc, UTM_HARDWARE_SOUND, "virtio-sound-pci")->since, ==, "10.0");
	g_assert_null(q35->since);
	g_assert_cmpuint(utm_hardware_find(pc, UTM_HARDWARE_MACHINE, "pc-i440fx-2.3")->flags, ==, UTM_HARDWARE_ITEM_GONE);
	g_assert_cmpuint(utm_hardware_find(pc, UTM_HARDWARE_MACHINE, "pc-i440fx-2.4")->flags, ==, 0);
	g_assert_cmpuint(utm_hardware_find(pc, UTM_HARDWARE_SOUND, "pcspk")->flags, ==, UTM_HARDWARE_ITEM_ON_BOARD);
	g_assert_cmpuint(utm_hardware_find(sparc, UTM_HARDWARE_NETWORK, "lance")->flags, ==, UTM_HARDWARE_ITEM_ON_BOARD);
}

static void test_misuse(void)
{
	g_autoptr(UtmError) error = NULL;
	UtmHardware *hardware = NULL;

	g_assert_cmpint(utm_hardware_query(NULL, "cris", 0, &hardware, &error), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "System.Architecture");
	g_assert_cmpint(utm_hardware_query(NULL, NULL, 0, &hardware, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_hardware_query(NULL, "arm", 0, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_hardware_query(NULL, "arm", UTM_HARDWARE_INSTALLED_ONLY, &hardware, NULL), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_hardware_query(NULL, "arm", 2, &hardware, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(hardware);
	g_assert_null(utm_hardware_get(NULL, UTM_HARDWARE_CPU, 0));
	g_assert_cmpuint(utm_hardware_get_count(NULL, (UtmHardwareKind)99), ==, 0);
	utm_hardware_unref(NULL);
}

/* --- real QEMUs --- */

static void assert_holds(const UtmHardware *live, const UtmHardware *snapshot, UtmHardwareKind kind)
{
	size_t newer = 0;

	for (size_t i = 0; i < utm_hardware_get_count(snapshot, kind); i++) {
		const UtmHardwareItem *old = utm_hardware_get(snapshot, kind, i);
		const UtmHardwareItem *item = utm_hardware_find(live, kind, old->name);

		if (old->since && !item) {
			newer++;
			continue;
		}
		if (!item)
			g_error("%s: no %s", utm_hardware_get_architecture(live), old->name);
		g_assert_cmpstr(item->bus, ==, old->bus);
		if (old->alias)
			g_assert_cmpstr(item->alias, ==, old->alias);
		g_assert_cmpstr(item->cpu, ==, old->cpu);
		g_assert_cmpuint(item->max_cpus, ==, old->max_cpus);
		g_assert_cmpuint(item->flags, ==, old->flags & ~(uint32_t)UTM_HARDWARE_ITEM_GONE);
	}
	g_assert_cmpuint(utm_hardware_get_count(live, kind), ==, utm_hardware_get_count(snapshot, kind) - newer);
}

/* Two programs read QEMU's answers: the ledger's script and the library. They must agree on the same QEMU. */
static void test_real(gconstpointer data)
{
	const char *architecture = data;
	UtmContext *context = utm_context_new(NULL, NULL);
	g_autoptr(UtmHardware) snapshot = query(NULL, architecture, 0);
	g_autoptr(UtmHardware) live = query(context, architecture, 0);
	g_autoptr(UtmHardware) again = query(context, architecture, 0);

	utm_context_unref(context);
	if (!utm_hardware_get_qemu_path(live)) {
		g_test_skip("QEMU is not installed");
		return;
	}
	g_assert_true(live == again);
	g_assert_cmpuint(utm_hardware_get_count(live, UTM_HARDWARE_MACHINE), >=, 2);
	if (strcmp(utm_hardware_get_qemu_version(live), utm_hardware_get_qemu_version(snapshot)) == 0)
		for (guint kind = 0; kind < UTM_HARDWARE_KINDS; kind++)
			assert_holds(live, snapshot, kind);
}

/* --- properties --- */

static UtmHardware *query_properties(UtmContext *context, UtmHardwareKind kind, const char *name, UtmError **error)
{
	UtmHardware *hardware = NULL;
	int code = utm_hardware_query_properties(context, "x86_64", kind, name, &hardware, error);

	g_assert_cmpint(code, ==, hardware ? 0 : utm_error_get_code(*error));
	return hardware;
}

static bool has_qemu(UtmContext *context)
{
	g_autoptr(UtmHardware) hardware = query(context, "x86_64", 0);

	return utm_hardware_get_qemu_path(hardware) != NULL;
}

static void check_properties(UtmContext *context)
{
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmHardware) card = query_properties(context, UTM_HARDWARE_NETWORK, "e1000", &error);
	g_autoptr(UtmHardware) by_alias = query_properties(context, UTM_HARDWARE_NETWORK, "e1000-82540em", &error);
	g_autoptr(UtmHardware) disk = query_properties(context, UTM_HARDWARE_DISPLAY, "virtio-blk-pci", &error);
	g_autoptr(UtmHardware) board = query_properties(context, UTM_HARDWARE_MACHINE, "q35", &error);
	const UtmHardwareItem *mac = utm_hardware_find(card, UTM_HARDWARE_PROPERTY, "mac");
	const UtmHardwareItem *romfile = utm_hardware_find(card, UTM_HARDWARE_PROPERTY, "rombar");

	g_assert_true(card == by_alias); /* asked once */
	g_assert_cmpstr(mac->type, ==, "str");
	g_assert_nonnull(mac->description);
	g_assert_cmpstr(romfile->default_json, !=, NULL);
	g_assert_cmpstr(utm_hardware_find(disk, UTM_HARDWARE_PROPERTY, "serial")->type, ==, "str");
	g_assert_cmpstr(utm_hardware_find(board, UTM_HARDWARE_PROPERTY, "smm")->type, ==, "OnOffAuto");
	g_assert_cmpuint(utm_hardware_get_count(card, UTM_HARDWARE_CPU), ==, 0);
	g_assert_cmpstr(utm_hardware_get_qemu_version(card), !=, "");
}

static void test_properties(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);

	if (has_qemu(context))
		check_properties(context);
	else
		g_test_skip("QEMU is not installed");
	utm_context_unref(context);
}

/* A QEMU of which a module is not installed ends when it is asked of what is in it; others tell. */
static void test_properties_of_nothing(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	g_autoptr(UtmError) none = NULL, no_board = NULL, no_module = NULL;

	if (!has_qemu(context)) {
		g_test_skip("QEMU is not installed");
		utm_context_unref(context);
		return;
	}
	g_assert_null(query_properties(context, UTM_HARDWARE_SOUND, "no\"such", &none));
	g_assert_cmpint(utm_error_get_code(none), ==, UTM_ERROR_NOT_FOUND);
	g_assert_null(query_properties(context, UTM_HARDWARE_MACHINE, "e1000", &no_board));
	g_assert_cmpint(utm_error_get_code(no_board), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_message(no_board), ==, "QEMU x86_64 has no machine type e1000");
	g_autoptr(UtmHardware) gl = query_properties(context, UTM_HARDWARE_DISPLAY, "virtio-gpu-gl-pci", &no_module);
	g_assert_true(gl || utm_error_get_code(no_module) == UTM_ERROR_PROCESS_EXITED ||
	              utm_error_get_code(no_module) == UTM_ERROR_NOT_FOUND);
	utm_context_unref(context);
}

typedef struct Told {
	UtmHardware *hardware;
	bool done;
} Told;

static void on_told(UtmContext *ctx, UtmHardware *hardware, const UtmError *error, void *user_data)
{
	*(Told *)user_data = (Told){ hardware, true };
}

static void test_properties_later(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Told told = { 0 };

	g_assert_cmpint(utm_hardware_query_properties_async(context, "x86_64", UTM_HARDWARE_NETWORK, "e1000", on_told, &told, NULL,
	                                                    NULL), ==, 0);
	while (!told.done)
		utm_context_wait(context, -1);
	g_assert_true(!told.hardware == !has_qemu(context));
	utm_hardware_unref(told.hardware);
	utm_context_unref(context);
}

/* --- others --- */

static void test_absent(void)
{
	g_autofree char *path = g_strdup(g_getenv("PATH"));
	g_autoptr(UtmError) error = NULL;
	UtmHardware *hardware = NULL;

	g_setenv("PATH", "/nonexistent", TRUE);
	UtmContext *context = context_with("/nonexistent");
	g_autoptr(UtmHardware) snapshot = query(context, "riscv64", 0);
	g_assert_null(utm_hardware_get_qemu_path(snapshot));
	g_assert_cmpint(utm_hardware_query(context, "riscv64", UTM_HARDWARE_INSTALLED_ONLY, &hardware, &error), ==,
	                UTM_ERROR_QEMU_NOT_FOUND);
	utm_context_unref(context);
	g_setenv("PATH", path, TRUE);
}

static const struct Liar {
	const char *name, *script;
	int code;
} liars[] = {
	{ "ends", "#!/bin/sh\nexit 1\n", 0 },
	{ "ends-well", "#!/bin/sh\nexit 0\n", 0 },
	{ "crashes", "#!/bin/sh\nkill -SEGV $$\n", 0 },
	{ "rubbish", "#!/bin/sh\nprintf 'hello, world\\n' >&3; exec sleep 60\n", UTM_ERROR_QMP_PROTOCOL },
	{ "floods", "#!/bin/sh\nexec yes '{\"event\":\"X\",\"timestamp\":{\"seconds\":1,\"microseconds\":1}}' >&3\n", 0 },
	{ "hangs-up", "#!/bin/sh\nexec 3>&-; exec sleep 60\n", 0 },
	{ "silent", "#!/bin/sh\nexec sleep 60\n", UTM_ERROR_TIMEOUT },
	{ "no-program", "not a program", 0 },
};

static void test_liar(gconstpointer data)
{
	const struct Liar *liar = data;
	g_autofree char *dir = g_dir_make_tmp("utm-hardware-XXXXXX", NULL);
	g_autoptr(UtmError) error = NULL;
	UtmHardware *hardware = NULL;
	gint64 before = g_get_monotonic_time();

	write_program(dir, "qemu-system-avr", liar->script);
	UtmContext *context = context_with(dir);
	int code = utm_hardware_query(context, "avr", 0, &hardware, &error);
	utm_context_unref(context);
	g_assert_cmpint(code, <, 0);
	if (liar->code)
		g_assert_cmpint(code, ==, liar->code);
	g_assert_null(hardware);
	g_assert_nonnull(utm_error_get_message(error));
	g_assert_cmpint(g_get_monotonic_time() - before, <, 25 * G_USEC_PER_SEC);
	test_remove_tree(dir);
}

/* --- answers --- */

static UtmValue *parse(const char *json)
{
	UtmValue *value = NULL;

	g_assert_cmpint(utm_value_from_json(json, &value, NULL), ==, 0);
	return value;
}

static void test_cpu_names(void)
{
	static const char *const cases[][3] = {
		{ "[{'name':'ev4-alpha-cpu'},{'name':'ev5-alpha-cpu'}]", "ev4-alpha-cpu", "ev4" },
		{ "[{'name':'hppa-cpu'}]", "hppa-cpu", "hppa" },
		{ "[{'name':'a-x-cpu'},{'name':'b-y-cpu'}]", "b-y-cpu", "b-y" },
		{ "[{'name':7},{},3,{'name':'a-b-cpu'}]", "a-b-cpu", "a-b" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		UtmValue *types = parse(cases[i][0]);
		g_autoptr(GHashTable) names = utm__hardware_name_cpus(NULL, types);

		g_assert_cmpstr(g_hash_table_lookup(names, cases[i][1]), ==, cases[i][2]);
		utm_value_free(types);
	}
}

static void test_devices(void)
{
	g_autoptr(UtmHardware) hardware = utm__hardware_new("x86_64", NULL);
	static const char text[] =
		"Display devices:\r\nname \"VGA\", bus PCI, desc \"a \"thing\", bus ISA\"\r\n"
		"name \"hidden\", bus PCI, desc \"x\", no-user\r\n\r\n"
		"Network devices:\r\nname \"e1000\", bus PCI, alias \"e1000-82540em\"\r\n\r\n"
		"Misc devices:\r\nname \"no\", bus PCI\r\nname \r\n"
		"Sound devices:\r\nname \"hda-duplex\", bus HDA\r\nname \"\r\nname \"usb-audio\", bus usb-bus";

	g_assert_true(utm__hardware_take_devices(hardware, text));
	utm__hardware_seal(hardware);
	g_assert_cmpuint(utm_hardware_get_count(hardware, UTM_HARDWARE_DISPLAY), ==, 1);
	const UtmHardwareItem *vga = utm_hardware_get(hardware, UTM_HARDWARE_DISPLAY, 0);
	g_assert_cmpstr(vga->description, ==, "a \"thing\", bus ISA");
	g_assert_cmpstr(vga->bus, ==, "PCI");
	g_assert_cmpstr(utm_hardware_find(hardware, UTM_HARDWARE_NETWORK, "e1000-82540em")->name, ==, "e1000");
	g_assert_cmpuint(utm_hardware_get_count(hardware, UTM_HARDWARE_SOUND), ==, 2); /* and pcspk */
}

static void test_too_many(void)
{
	g_autoptr(UtmHardware) hardware = utm__hardware_new("x86_64", NULL);
	g_autofree char *long_name = g_strnfill(UTM_HARDWARE_TEXT_MAX + 1, 'x');

	g_assert_true(utm__hardware_add(hardware, UTM_HARDWARE_CPU, &(UtmHardwareItem){ .name = long_name }));
	g_assert_cmpuint(utm_hardware_get_count(hardware, UTM_HARDWARE_CPU), ==, 0);
	for (guint i = 0; i < UTM_HARDWARE_ITEMS_MAX; i++)
		g_assert_true(utm__hardware_add(hardware, UTM_HARDWARE_CPU, &(UtmHardwareItem){ .name = "a" }));
	g_assert_false(utm__hardware_add(hardware, UTM_HARDWARE_CPU, &(UtmHardwareItem){ .name = "a" }));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/hardware/snapshot/all", test_snapshot_has_all);
	g_test_add_func("/hardware/snapshot/facts", test_snapshot_facts);
	g_test_add_func("/hardware/misuse", test_misuse);
	g_test_add_func("/hardware/properties", test_properties);
	g_test_add_func("/hardware/properties/nothing", test_properties_of_nothing);
	g_test_add_func("/hardware/properties/later", test_properties_later);
	g_test_add_func("/hardware/absent", test_absent);
	g_test_add_func("/hardware/answers/cpu-names", test_cpu_names);
	g_test_add_func("/hardware/answers/devices", test_devices);
	g_test_add_func("/hardware/answers/too-many", test_too_many);
	for (gsize i = 0; i < G_N_ELEMENTS(architectures); i++) {
		g_autofree char *path = g_strdup_printf("/hardware/real/%s", architectures[i]);
		g_test_add_data_func(path, architectures[i], test_real);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(liars); i++) {
		g_autofree char *path = g_strdup_printf("/hardware/liar/%s", liars[i].name);
		g_test_add_data_func(path, &liars[i], test_liar);
	}
	return g_test_run();
}
