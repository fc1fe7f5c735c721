/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real guests, driven through the public library alone: a BIOS that boots a CD and is typed at, UEFI up to its shell, a
 * kernel that QEMU loads itself, and the distribution's installer. Each is a new machine as the library makes it, says a
 * known line on its serial port and shows a known picture.
 *
 * Pictures are compared by how much of them has which colour: fonts, versions and sizes may change, a blue background with
 * grey windows remains one. The firmware and programs come from the distribution's packages; what is not installed is
 * skipped, with the package's name.
 */
#include "tree.h"

#include <glib.h>
#include <string.h>
#include <utm/utm.h>

enum {
	/* The slowest needs 40 s alone, on a slow processor that is emulated. */
	LIMIT_S = 240,
	/* How long to wait for what was typed before it is typed once more: firmware loses keys. */
	RETYPE_S = 15,
	KEY_PAUSE_US = 40000,
	/* Colours are told apart by more than what dithering and gamma do to them. */
	TOLERANCE = 24,
	FILES_MAX = 2,
	STEPS_MAX = 6,
};

/* Of a thousand pixels, how many have a colour. */
typedef struct Share {
	guint32 colour; /* 0xRRGGBB */
	guint min;
	guint max;
} Share;

typedef struct Picture {
	guint width; /* at least */
	guint height;
	Share shares[2];
} Picture;

/* In this order: type, wait for the text, wait for the picture. What is NULL is passed over. */
typedef struct Step {
	const char *keys;   /* at the keyboard */
	const char *line;   /* at the serial port */
	const char *await;  /* on the serial port, after what was awaited before */
	const Picture *picture;
} Step;

typedef struct File {
	const char *drive; /* the element's JSON */
	const char *path;
} File;

typedef struct Guest {
	const char *name;
	const char *architecture;
	const char *target;
	gint64 memory_mib;
	bool wants_uefi;
	const char *arguments; /* nullable: the kernel's line */
	const char *package;   /* with all the files */
	File files[FILES_MAX];
	Step steps[STEPS_MAX];
} Guest;

#define INSTALLER(architecture) "/usr/lib/debian-installer/images/12/" architecture "/text/debian-installer/" architecture "/"
#define KERNEL(path) { "{'ImageType':'LinuxKernel','ImageName':'kernel'}", path }
#define INITRD(path) { "{'ImageType':'LinuxInitrd','ImageName':'initrd.img'}", path }
#define CD(path) { "{'ImageType':'CD','ImageName':'disc.iso'}", path }

/* Light text on black, and a bar on the line that is chosen. */
static const Picture grub_menu = { 640, 400, { { 0x000000, 700, 960 }, { 0xaaaaaa, 45, 250 } } };
/* Text on black, in the grey that UEFI has. */
static const Picture uefi_text = { 640, 400, { { 0x000000, 700, 999 }, { 0x989898, 1, 250 } } };
static const Picture memory_test = { 640, 400, { { 0x0000aa, 500, 980 }, { 0xaaaaaa, 20, 400 } } };
/* A grey window on blue. */
static const Picture installer = { 640, 400, { { 0x0000aa, 50, 800 }, { 0xaaaaaa, 150, 900 } } };

static const Guest guests[] = {
	{ "bios", "x86_64", "pc", 128, false, NULL, "grub-rescue-pc", { CD("/usr/lib/grub-rescue/grub-rescue-cdrom.iso") },
	  { { .picture = &grub_menu },
	    { .keys = "c\nserial\nterminal_output serial\n", .await = "grub>" },
	    { .keys = "echo $grub_platform-$grub_cpu\n", .await = "\npc-i386" } } },
	{ "kernel", "x86_64", "q35", 128, false, "-append console=ttyS0,115200", "memtest86+", { KERNEL("/boot/memtest86+x64.bin") },
	  { { .await = "Memtest86+ v" }, { .picture = &memory_test } } },
	{ "uefi", "x86_64", "q35", 256, true, NULL, "ovmf", { { NULL, "/usr/share/OVMF/OVMF_CODE_4M.fd" } },
	  { { .await = "UEFI Interactive Shell" },
	    { .await = "Shell> ", .picture = &uefi_text },
	    { .line = "echo of the firmware\r", .await = "\nof the firmware" } } },
	{ "uefi-arm", "aarch64", "virt", 256, true, NULL, "qemu-efi-aarch64", { { NULL, "/usr/share/AAVMF/AAVMF_CODE.fd" } },
	  { { .await = "UEFI Interactive Shell" },
	    { .await = "Shell> ", .picture = &uefi_text },
	    { .line = "echo of the firmware\r", .await = "\nof the firmware" } } },
	{ "installer", "x86_64", "q35", 1024, false, "-append \"console=ttyS0 console=tty0 loglevel=6 mitigations=off\"",
	  "debian-installer-12-netboot-amd64", { KERNEL(INSTALLER("amd64") "linux"), INITRD(INSTALLER("amd64") "initrd.gz") },
	  { { .await = "Linux version" }, { .await = "Select a language" }, { .picture = &installer } } },
	{ "installer-arm", "aarch64", "virt", 1024, false, "-append \"console=ttyAMA0 console=tty0 loglevel=6 mitigations=off\"",
	  "debian-installer-12-netboot-arm64", { KERNEL(INSTALLER("arm64") "linux"), INITRD(INSTALLER("arm64") "initrd.gz") },
	  { { .await = "Linux version" }, { .await = "Select a language" }, { .picture = &installer } } },
};

typedef struct Run {
	const Guest *guest;
	char *place;
	UtmContext *context;
	UtmBundle *bundle;
	UtmVm *vm;
	GString *serial;
	gsize seen; /* up to where of it */
	gint64 begun;
	gint64 limit;
	guint64 picture_serial;
	char *picture_told; /* what the last picture had */
} Run;

/* By address: the call that sets the error may come after the other arguments. */
static void assert_ok(int result, UtmError *const *error)
{
	if (result == 0)
		return;
	g_autofree char *text = *error ? utm_error_dup_text(*error) : g_strdup_printf("%d", result);
	const char *tail = *error ? utm_error_get_stderr_tail(*error) : NULL;
	g_error("%s\n%s", text, tail ? tail : "");
}

static double get_seconds(const Run *run)
{
	return (double)(g_get_monotonic_time() - run->begun) / G_USEC_PER_SEC;
}

/* --- the machine --- */

static UtmConfig *make_config(const Guest *guest)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	UtmError *error = NULL;
	UtmConfig *config = NULL;
	size_t ports = 0;
	options.architecture = guest->architecture;
	options.target = guest->target;
	options.name = guest->name;
	assert_ok(utm_config_new_default(&options, &config, &error), &error);
	assert_ok(utm_config_set_int(config, "System.MemorySize", guest->memory_mib, &error), &error);
	assert_ok(utm_config_set_bool(config, "QEMU.UEFIBoot", guest->wants_uefi, &error), &error);
	/* Firmware tries to boot from it first, and nobody answers. */
	assert_ok(utm_config_remove(config, "Network[0]", &error), &error);
	assert_ok(utm_config_get_count(config, "Serial", &ports, &error), &error);
	if (!ports)
		assert_ok(utm_config_insert(config, "Serial", -1, "{}", &error), &error);
	for (gsize i = 0; i < FILES_MAX && guest->files[i].path; i++)
		if (guest->files[i].drive)
			assert_ok(utm_config_insert(config, "Drive", -1, guest->files[i].drive, &error), &error);
	if (guest->arguments) {
		g_autofree char *quoted = g_strescape(guest->arguments, NULL);
		g_autofree char *json = g_strdup_printf("\"%s\"", quoted);
		assert_ok(utm_config_insert(config, "QEMU.AdditionalArguments", -1, json, &error), &error);
	}
	return config;
}

/* Not compressed any more: an emulated processor needs half a minute for what the host does in one second. */
static char *unpack(const Run *run, const char *path)
{
	if (!g_str_has_suffix(path, ".gz"))
		return g_strdup(path);
	char *unpacked = g_build_filename(run->place, "unpacked", NULL);
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"exec gzip -dc \"$0\" > \"$1\"", (char *)path, unpacked, NULL };
	GError *error = NULL;
	int status = -1;
	if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error) || status)
		g_error("gzip: %s", error ? error->message : "failed");
	return unpacked;
}

static char *dup_image_name(const UtmConfig *config, gsize index)
{
	g_autofree char *key_path = g_strdup_printf("Drive[%zu].ImageName", index);
	char *name = NULL;
	UtmError *error = NULL;
	assert_ok(utm_config_get_string(config, key_path, &name, &error), &error);
	char *copy = g_strdup(name);
	utm_free(name);
	return copy;
}

static void make_bundle(Run *run)
{
	UtmConfig *config = make_config(run->guest);
	g_autofree char *path = g_build_filename(run->place, "Guest.utm", NULL);
	UtmBundleSource files[FILES_MAX] = { 0 };
	UtmBundleCreateOptions options = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	UtmError *error = NULL;
	options.files = files;
	for (gsize i = 0; i < FILES_MAX && run->guest->files[i].path; i++)
		if (run->guest->files[i].drive)
			files[options.file_count++] =
				(UtmBundleSource){ unpack(run, run->guest->files[i].path), dup_image_name(config, i) };
	assert_ok(utm_bundle_create(run->context, path, config, &options, &run->bundle, &error), &error);
	for (gsize i = 0; i < options.file_count; i++) {
		g_free((char *)files[i].source);
		g_free((char *)files[i].name);
	}
	utm_config_unref(config);
}

static void on_serial(UtmVm *vm, uint32_t index, const void *bytes, size_t size, void *data)
{
	g_string_append_len(((Run *)data)->serial, bytes, (gssize)size);
}

static void start(Run *run, const Guest *guest)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	UtmError *error = NULL;
	run->guest = guest;
	run->place = g_dir_make_tmp("utm-run-XXXXXX", NULL);
	run->serial = g_string_new(NULL);
	run->begun = g_get_monotonic_time();
	run->limit = run->begun + LIMIT_S * G_USEC_PER_SEC;
	options.runtime_dir = run->place;
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	run->context = utm_context_new(&options, &error);
	assert_ok(run->context ? 0 : -1, &error);
	make_bundle(run);
	assert_ok(utm_vm_new(run->bundle, &run->vm, &error), &error);
	assert_ok(utm_vm_set_serial_handler(run->vm, 0, on_serial, run, NULL, &error), &error);
	assert_ok(utm_vm_start(run->vm, NULL, &error), &error);
}

static void stop(Run *run)
{
	UtmError *error = NULL;
	assert_ok(utm_vm_stop(run->vm, UTM_VM_STOP_FORCE, NULL, &error), &error);
	g_assert_cmpuint(utm_end_reason_get_kind(utm_vm_get_end_reason(run->vm)), ==, UTM_END_QUIT);
	utm_vm_unref(run->vm);
	utm_bundle_unref(run->bundle);
	utm_context_unref(run->context);
	test_remove_tree(run->place);
	g_string_free(run->serial, TRUE);
	g_free(run->place);
	g_free(run->picture_told);
}

/* --- its serial port --- */

/* What terminals understand as colours and places is not what is looked for. */
static char *strip_escapes(const GString *serial)
{
	GString *plain = g_string_sized_new(serial->len);
	for (gsize i = 0; i < serial->len; i++) {
		if (serial->str[i] == '\033' && serial->str[i + 1] == '[')
			for (i += 2; i + 1 < serial->len && !g_ascii_isalpha(serial->str[i]); i++)
				continue;
		else if (serial->str[i] && serial->str[i] != '\r')
			g_string_append_c(plain, serial->str[i]);
	}
	return g_string_free(plain, FALSE);
}

static bool has_said(Run *run, const char *text)
{
	g_autofree char *plain = strip_escapes(run->serial);
	gsize seen = MIN(run->seen, strlen(plain));
	const char *found = strstr(plain + seen, text);
	if (found)
		run->seen = (gsize)(found - plain) + strlen(text);
	return found;
}

static void fail(Run *run, const char *what, const char *detail)
{
	g_autofree char *plain = strip_escapes(run->serial);
	gsize length = strlen(plain);
	g_error("%s: %s after %.0f s: %s\nserial port: %s", run->guest->name, what, get_seconds(run), detail,
	        plain + (length > 1500 ? length - 1500 : 0));
}

static bool await(Run *run, const char *text, gint64 limit)
{
	while (!has_said(run, text)) {
		if (utm_vm_get_state(run->vm) != UTM_VM_STATE_RUNNING)
			fail(run, "the machine ended, and did not say", text);
		if (g_get_monotonic_time() > limit)
			return false;
		utm_context_wait(run->context, 100);
	}
	return true;
}

/* --- its keyboard --- */

/* The code of a key on a keyboard of the United States, and whether it is reached with shift. */
static guint find_key(char c, bool *ret_shift)
{
	static const struct {
		guint first;
		const char *plain;
		const char *shifted;
	} keys[] = { { 0x02, "1234567890-=", "!@#$%^&*()_+" }, { 0x10, "qwertyuiop[]\n", "QWERTYUIOP{}\n" },
		         { 0x1e, "asdfghjkl;'", "ASDFGHJKL:\"" }, { 0x2c, "zxcvbnm,./", "ZXCVBNM<>?" }, { 0x39, " ", " " } };
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		const char *plain = strchr(keys[i].plain, c), *shifted = strchr(keys[i].shifted, c);
		*ret_shift = !plain;
		if (plain || shifted)
			return keys[i].first + (guint)(plain ? plain - keys[i].plain : shifted - keys[i].shifted);
	}
	g_error("no key for '%c'", c);
}

static void press(Run *run, guint code, bool pressed)
{
	UtmError *error = NULL;
	assert_ok(utm_console_send_key(utm_vm_get_console(run->vm), code, pressed, &error), &error);
	utm_context_dispatch(run->context, 0);
	g_usleep(KEY_PAUSE_US);
}

static void type_keys(Run *run, const char *text)
{
	while (utm_console_get_state(utm_vm_get_console(run->vm)) != UTM_CONSOLE_STATE_CONNECTED) {
		if (g_get_monotonic_time() > run->limit)
			fail(run, "no console", "it does not connect");
		utm_context_wait(run->context, 100);
	}
	for (; *text; text++) {
		bool shift = false;
		guint code = find_key(*text, &shift);
		if (shift)
			press(run, 0x2a, true);
		press(run, code, true);
		press(run, code, false);
		if (shift)
			press(run, 0x2a, false);
	}
}

/* --- its picture --- */

static bool is_near(guint32 a, guint32 b)
{
	for (int shift = 0; shift < 24; shift += 8)
		if (ABS((int)(a >> shift & 0xff) - (int)(b >> shift & 0xff)) > TOLERANCE)
			return false;
	return true;
}

static guint measure(const UtmFrame *frame, guint32 colour)
{
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	const guint8 *row = utm_frame_get_data(frame);
	guint64 found = 0;
	for (guint y = 0; y < info->height; y++, row += info->stride_bytes)
		for (guint x = 0; x < info->width; x++)
			found += is_near(((const guint32 *)row)[x] & 0xffffff, colour);
	return (guint)(found * 1000 / ((guint64)info->width * info->height));
}

static bool matches(Run *run, const UtmFrame *frame, const Picture *picture)
{
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	bool fits = info->width >= picture->width && info->height >= picture->height;
	GString *told = g_string_new(NULL);
	g_string_printf(told, "%ux%u", info->width, info->height);
	for (gsize i = 0; i < G_N_ELEMENTS(picture->shares); i++) {
		const Share *share = &picture->shares[i];
		guint found = measure(frame, share->colour);
		fits = fits && found >= share->min && found <= share->max;
		g_string_append_printf(told, ", %u/1000 of #%06x", found, share->colour);
	}
	g_free(run->picture_told);
	run->picture_told = g_string_free(told, FALSE);
	return fits;
}

static void await_picture(Run *run, const Picture *picture)
{
	UtmDisplay *display = utm_vm_get_display(run->vm, 0);
	bool fits = false;
	g_assert_nonnull(display);
	/* The newest first: it may be the one, and no other may follow. */
	UtmFrame *frame = utm_display_acquire_frame(display);
	while (!fits) {
		UtmError *error = NULL;
		if (frame) {
			run->picture_serial = utm_frame_get_info(frame)->serial;
			fits = matches(run, frame, picture);
			utm_frame_unref(frame);
			frame = NULL;
		}
		if (!fits && g_get_monotonic_time() > run->limit)
			fail(run, "not the picture", run->picture_told ? run->picture_told : "there is none");
		if (!fits && utm_display_wait_frame(display, run->picture_serial, 500, NULL, &frame, &error) < 0 &&
		    utm_error_get_code(error) != UTM_ERROR_NO_PICTURE)
			assert_ok(-1, &error);
		utm_error_unref(error);
		utm_context_dispatch(run->context, 0);
	}
	g_test_message("%5.1f s  picture: %s", get_seconds(run), run->picture_told);
}

/* --- a test --- */

static void take_step(Run *run, const Step *step)
{
	bool typed = step->keys || step->line, said = !step->await;
	UtmError *error = NULL;
	do {
		if (step->keys)
			type_keys(run, step->keys);
		if (step->line)
			assert_ok(utm_vm_serial_write(run->vm, 0, step->line, strlen(step->line), &error), &error);
		said = said || await(run, step->await, typed ? MIN(run->limit, g_get_monotonic_time() + RETYPE_S * G_USEC_PER_SEC)
		                                              : run->limit);
		if (!said && g_get_monotonic_time() > run->limit)
			fail(run, "it did not say", step->await);
	} while (!said);
	if (step->await)
		g_test_message("%5.1f s  serial: %s", get_seconds(run), step->await + (*step->await == '\n'));
	if (step->picture)
		await_picture(run, step->picture);
}

static bool is_skipped(const Guest *guest)
{
	g_autofree char *name = g_strconcat("qemu-system-", guest->architecture, NULL);
	g_autofree char *program = g_find_program_in_path(name);
	g_autofree char *why = program ? NULL : g_strdup_printf("there is no %s", name);
	for (gsize i = 0; i < FILES_MAX && guest->files[i].path; i++)
		if (!why && !g_file_test(guest->files[i].path, G_FILE_TEST_EXISTS))
			why = g_strdup_printf("the package %s is not installed", guest->package);
	if (why)
		g_test_skip(why);
	return why;
}

static void test_guest(gconstpointer data)
{
	const Guest *guest = data;
	Run run = { 0 };
	if (is_skipped(guest))
		return;
	start(&run, guest);
	for (gsize i = 0; i < STEPS_MAX && (guest->steps[i].await || guest->steps[i].picture); i++)
		take_step(&run, &guest->steps[i]);
	stop(&run);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(guests); i++) {
		g_autofree char *path = g_strconcat("/guests/", guests[i].name, NULL);
		g_test_add_data_func(path, &guests[i], test_guest);
	}
	return g_test_run();
}
