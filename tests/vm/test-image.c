/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disk images on the real qemu-img, through the public library. What kills, fills disks or takes children's exit status away is
 * done in a process of its own: this program called with a word.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/utm.h>

#define MIB (1024 * 1024)
/* Compressed this takes qemu-img a second or two, long enough to be met at work. */
#define SLOW_BYTES (48 * MIB)
#define WAIT_S 30

static const char *self;

typedef struct Fixture {
	char *place;
	UtmContext *context;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
	f->place = test_place_new();
	f->context = utm_context_new(NULL, NULL);
}

static void tear_down(Fixture *f, gconstpointer data)
{
	utm_context_unref(f->context);
	test_remove_tree(f->place);
	g_free(f->place);
}

/* --- helpers --- */

static void good(int result, UtmError *error)
{
	g_autofree char *text = utm_error_dup_text(error);
	if (result < 0)
		g_test_message("%s", text);
	utm_error_unref(error);
	g_assert_cmpint(result, ==, 0);
}

#define GOOD(call)                                                                                                     \
	do {                                                                                                               \
		UtmError *error = NULL;                                                                                        \
		int result = (call);                                                                                           \
		good(result, error);                                                                                           \
	} while (0)

#define BAD(call, code)                                                                                                \
	do {                                                                                                               \
		UtmError *error = NULL;                                                                                        \
		g_assert_cmpint((call), ==, (code));                                                                           \
		g_assert_cmpint(utm_error_get_code(error), ==, (code));                                                        \
		g_assert_nonnull(utm_error_get_remedy(error));                                                                 \
		utm_error_unref(error);                                                                                        \
	} while (0)

static char *path_of(const Fixture *f, const char *name)
{
	return g_build_filename(f->place, name, NULL);
}

static void run(const char *const *argv)
{
	int status = -1;
	g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
	                           NULL, NULL, &status, NULL));
	g_assert_cmpint(status, ==, 0);
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

/* Bytes that no compression makes smaller, the same each time. */
static void put_noise(const char *path, gsize size)
{
	guint64 state = 88172645463325252u;
	guint64 *words = g_new(guint64, size / 8);
	for (gsize i = 0; i < size / 8; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		words[i] = state;
	}
	g_assert_true(g_file_set_contents(path, (const char *)words, (gssize)size, NULL));
	g_free(words);
}

static char *sum_of(const char *path)
{
	g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, NULL);
	g_assert_nonnull(file);
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)g_mapped_file_get_contents(file),
	                                   g_mapped_file_get_length(file));
}

static gsize count_entries(const char *path)
{
	GDir *directory = g_dir_open(path, 0, NULL);
	gsize count = 0;
	while (g_dir_read_name(directory))
		count++;
	g_dir_close(directory);
	return count;
}

static UtmImageInfo *inspect(const Fixture *f, const char *path)
{
	UtmImageInfo *info = NULL;
	GOOD(utm_image_inspect(f->context, path, NULL, &info, &error));
	return info;
}

static guint64 size_of(const Fixture *f, const char *path)
{
	UtmImageInfo *info = inspect(f, path);
	guint64 size = info->virtual_size_bytes;
	utm_image_info_unref(info);
	return size;
}

/* An image of noise that takes long to compress, named in a directory that holds nothing else. */
static char *put_slow_image(const Fixture *f, const char *name)
{
	g_autofree char *raw = g_strconcat(f->place, "-raw", NULL);
	char *path = path_of(f, name);
	put_noise(raw, SLOW_BYTES);
	RUN("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path);
	g_remove(raw);
	return path;
}

static UtmImageConvertOptions slow_options(void)
{
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	options.compression = UTM_IMAGE_COMPRESSION_ZLIB;
	return options;
}

/* The first process below `parent` that runs qemu-img; 0: none. */
static pid_t find_tool(pid_t parent)
{
	pid_t found = 0;
	GDir *processes = g_dir_open("/proc", 0, NULL);
	for (const char *name = g_dir_read_name(processes); name && !found; name = g_dir_read_name(processes)) {
		g_autofree char *path = g_strdup_printf("/proc/%s/stat", name);
		g_autofree char *text = NULL;
		if (!g_ascii_isdigit(*name) || !g_file_get_contents(path, &text, NULL, NULL))
			continue;
		const char *rest = strrchr(text, ')');
		if (rest && strstr(text, "(qemu-img)") && rest[2] != 'Z' && atoi(rest + 4) == parent)
			found = atoi(name);
	}
	g_dir_close(processes);
	return found;
}

/* One that nobody has reaped yet is not. */
static bool is_alive(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *text = NULL;
	const char *rest = g_file_get_contents(path, &text, NULL, NULL) ? strrchr(text, ')') : NULL;
	return rest && rest[2] != 'Z';
}

static pid_t await_tool(pid_t parent)
{
	pid_t tool = 0;
	for (int i = 0; i < WAIT_S * 200 && !tool; i++) {
		tool = find_tool(parent);
		if (!tool)
			g_usleep(5000);
	}
	g_assert_cmpint(tool, >, 0);
	return tool;
}

typedef struct Seen {
	int calls, frees, code;
	UtmImageInfo *info;
} Seen;

static void on_free(void *data)
{
	((Seen *)data)->frees++;
}

static void on_done(UtmContext *context, const UtmError *error, void *data)
{
	Seen *seen = data;
	seen->calls++;
	seen->code = utm_error_get_code(error);
}

static void on_bundle_done(UtmBundle *bundle, const UtmError *error, void *data)
{
	on_done(NULL, error, data);
}

static void on_info(UtmContext *context, UtmImageInfo *info, const UtmError *error, void *data)
{
	on_done(context, error, data);
	((Seen *)data)->info = utm_image_info_ref(info);
}

static void await(const Fixture *f, Seen *seen)
{
	gint64 end = g_get_monotonic_time() + WAIT_S * G_USEC_PER_SEC;
	while (!seen->calls && g_get_monotonic_time() < end)
		utm_context_wait(f->context, 1000);
	g_assert_cmpint(seen->calls, ==, 1);
}

/* This program again, with words. Its process. */
static pid_t start_self(const char *const *words)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	GPid pid = 0;
	g_ptr_array_add(argv, (char *)self);
	for (; *words; words++)
		g_ptr_array_add(argv, (char *)*words);
	g_ptr_array_add(argv, NULL);
	g_assert_true(g_spawn_async(NULL, (char **)argv->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH, NULL,
	                            NULL, &pid, NULL));
	return pid;
}

static int end_of(pid_t pid)
{
	int status = 0;
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	return status;
}

/* --- new images --- */

static void test_create(Fixture *f, gconstpointer data)
{
	static const struct {
		const char *name;
		guint32 wanted, got;
	} cases[] = {
		{ "a.qcow2", UTM_IMAGE_FORMAT_AUTO, UTM_IMAGE_FORMAT_QCOW2 },
		{ "a.img", UTM_IMAGE_FORMAT_AUTO, UTM_IMAGE_FORMAT_RAW },
		{ "a", UTM_IMAGE_FORMAT_AUTO, UTM_IMAGE_FORMAT_QCOW2 },
		{ "b", UTM_IMAGE_FORMAT_QCOW2, UTM_IMAGE_FORMAT_QCOW2 },
		{ "b.raw", UTM_IMAGE_FORMAT_RAW, UTM_IMAGE_FORMAT_RAW },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		UtmImageCreateOptions options = UTM_IMAGE_CREATE_OPTIONS_INIT;
		g_autofree char *path = path_of(f, cases[i].name);
		options.format = cases[i].wanted;
		GOOD(utm_image_create(f->context, path, 3 * MIB + 512, &options, &error));
		UtmImageInfo *info = inspect(f, path);
		g_assert_cmpuint(info->format, ==, cases[i].got);
		g_assert_cmpuint(info->virtual_size_bytes, ==, 3 * MIB + 512);
		g_assert_cmpuint(info->allocated_bytes, <, MIB);
		g_assert_cmpstr(info->path, ==, path);
		utm_image_info_unref(info);
		struct stat status;
		g_assert_cmpint(stat(path, &status), ==, 0);
		g_assert_cmpint(status.st_mode & 0777, ==, 0600);
	}
	g_assert_cmpuint(count_entries(f->place), ==, G_N_ELEMENTS(cases));
}

static void test_create_sets_room_aside(Fixture *f, gconstpointer data)
{
	UtmImageCreateOptions options = UTM_IMAGE_CREATE_OPTIONS_INIT;
	for (guint i = UTM_IMAGE_PREALLOCATION_FALLOC; i <= UTM_IMAGE_PREALLOCATION_FULL; i++) {
		g_autofree char *name = g_strdup_printf("%u.img", i);
		g_autofree char *path = path_of(f, name);
		options.preallocation = i;
		GOOD(utm_image_create(f->context, path, 2 * MIB, &options, &error));
		UtmImageInfo *info = inspect(f, path);
		g_assert_cmpuint(info->allocated_bytes, >=, 2 * MIB);
		utm_image_info_unref(info);
	}
}

static void test_create_overwrites_nothing(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2"), *link = path_of(f, "link.qcow2");
	put_file(f->place, "a.qcow2", "precious");
	put_link(f->place, "link.qcow2", "nowhere");
	BAD(utm_image_create(f->context, path, MIB, NULL, &error), UTM_ERROR_BUNDLE_EXISTS);
	BAD(utm_image_create(f->context, link, MIB, NULL, &error), UTM_ERROR_BUNDLE_EXISTS);
	BAD(utm_image_create(f->context, f->place, MIB, NULL, &error), UTM_ERROR_BUNDLE_EXISTS);
	BAD(utm_image_create(f->context, "/nowhere/a.qcow2", MIB, NULL, &error), UTM_ERROR_NOT_FOUND);
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "precious");
	g_assert_cmpuint(count_entries(f->place), ==, 2);
}

/* To programs that take names, each of these means something else. */
static const char *const odd_names[] = {
	"-f",
	"--help",
	"a,b=c.qcow2",
	"json:{}",
	"nbd:localhost:1",
	"a=b",
	"file.filename=x",
	"\xff\xfe.qcow2",
	"two words ",
	"\"quoted\"",
	"line\nbreak.qcow2",
	"fat:rw:x",
	"%s%n.img",
};

static void test_odd_names(Fixture *f, gconstpointer data)
{
	for (gsize i = 0; i < G_N_ELEMENTS(odd_names); i++) {
		g_autofree char *path = path_of(f, odd_names[i]), *copy_name = g_strconcat(odd_names[i], "2", NULL);
		g_autofree char *copy = path_of(f, copy_name);
		GOOD(utm_image_create(f->context, path, MIB, NULL, &error));
		GOOD(utm_image_resize(f->context, path, 2 * MIB, NULL, &error));
		GOOD(utm_image_convert(f->context, path, copy, NULL, &error));
		GOOD(utm_image_convert(f->context, path, NULL, NULL, &error));
		g_assert_cmpuint(size_of(f, path), ==, 2 * MIB);
		g_assert_cmpuint(size_of(f, copy), ==, 2 * MIB);
		g_assert_cmpuint(count_entries(f->place), ==, 2 * (i + 1));
	}
}

static void test_relative_names(Fixture *f, gconstpointer data)
{
	g_autofree char *before = g_get_current_dir();
	g_assert_cmpint(chdir(f->place), ==, 0);
	GOOD(utm_image_create(f->context, "-o", MIB, NULL, &error));
	GOOD(utm_image_convert(f->context, "-o", "-O", NULL, &error));
	g_assert_cmpuint(size_of(f, "-O"), ==, MIB);
	g_assert_cmpint(chdir(before), ==, 0);
}

/* --- what an image is --- */

static void test_inspect(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2"), *over = path_of(f, "over.qcow2");
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=4096", path, "5M");
	RUN("qemu-img", "snapshot", "-c", "first \"one\"", path);
	RUN("qemu-img", "snapshot", "-c", "second", path);
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-b", path, "-F", "qcow2", over);
	UtmImageInfo *info = inspect(f, path);
	g_assert_cmpuint(info->size, ==, sizeof *info);
	g_assert_cmpuint(info->cluster_size_bytes, ==, 4096);
	g_assert_cmpuint(info->content_format, ==, UTM_IMAGE_FORMAT_QCOW2);
	g_assert_cmpuint(info->snapshot_count, ==, 2);
	g_assert_cmpstr(info->snapshots[0]->name, ==, "first \"one\"");
	g_assert_cmpstr(info->snapshots[1]->id, ==, "2");
	g_assert_cmpint(ABS(info->snapshots[1]->date_s - (gint64)time(NULL)), <, 3600);
	g_assert_false(info->encrypted || info->dirty || info->corrupt || info->in_use);
	g_assert_null(info->backing_file);
	utm_image_info_unref(info);
	/* Told, though no other call would follow it. */
	info = inspect(f, over);
	g_assert_cmpstr(info->backing_file, ==, path);
	g_assert_cmpstr(info->backing_format, ==, "qcow2");
	utm_image_info_unref(info);
}

/* A guest has written an image into its raw disk: it is still a raw disk. */
static void test_raw_stays_raw(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "disk.img"), *copy = path_of(f, "copy.raw");
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", path, "1M");
	g_autofree char *sum = sum_of(path);
	UtmImageInfo *info = inspect(f, path);
	g_assert_cmpuint(info->format, ==, UTM_IMAGE_FORMAT_RAW);
	g_assert_cmpuint(info->content_format, ==, UTM_IMAGE_FORMAT_QCOW2);
	g_assert_cmpuint(info->virtual_size_bytes, ==, (info->length_bytes + 511) / 512 * 512);
	g_assert_null(info->backing_file);
	utm_image_info_unref(info);
	GOOD(utm_image_convert(f->context, path, copy, NULL, &error));
	g_autofree char *head = NULL, *copied = NULL;
	gsize size = 0, copied_size = 0;
	g_assert_true(g_file_get_contents(path, &head, &size, NULL) &&
	              g_file_get_contents(copy, &copied, &copied_size, NULL));
	g_assert_cmpmem(head, size, copied, MIN(size, copied_size));
	/* Whoever says that it is qcow2 is told where it leads. */
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	options.source_format = UTM_IMAGE_FORMAT_QCOW2;
	options.flags = UTM_IMAGE_CONVERT_REPLACE;
	BAD(utm_image_convert(f->context, path, copy, &options, &error), UTM_ERROR_BUNDLE_PATH_ESCAPE);
	g_autofree char *after = sum_of(path);
	g_assert_cmpstr(sum, ==, after);
}

static void test_leads_out(Fixture *f, gconstpointer data)
{
	g_autofree char *place = path_of(f, "inside"), *base = path_of(f, "base.qcow2"), *raw = path_of(f, "secret.raw");
	g_autofree char *over = g_build_filename(place, "over.qcow2", NULL),
					*split = g_build_filename(place, "split.qcow2", NULL);
	g_autofree char *flat = g_build_filename(place, "flat.vmdk", NULL),
					*child = g_build_filename(place, "child.vmdk", NULL);
	g_autofree char *parent = g_build_filename(place, "parent.vmdk", NULL), *out = path_of(f, "out.qcow2");
	g_autofree char *linked = g_build_filename(place, "linked.qcow2", NULL),
					*data_file = g_strconcat("data_file=", raw, NULL);
	g_assert_cmpint(g_mkdir(place, 0700), ==, 0);
	put_noise(raw, MIB);
	RUN("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, base);
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-b", "../base.qcow2", "-F", "qcow2", over);
	put_link(place, "base-link.qcow2", "../base.qcow2");
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base-link.qcow2", "-F", "qcow2", linked);
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", data_file, split, "1M");
	put_file(place, "flat.vmdk",
	         "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
	         "createType=\"monolithicFlat\"\nRW 2048 FLAT \"/etc/passwd\" 0\n");
	RUN("qemu-img", "create", "-q", "-f", "vmdk", parent, "1M");
	RUN("qemu-img", "create", "-q", "-f", "vmdk", "-b", parent, "-F", "vmdk", child);
	/* An image without a word about the format of what is below it, which QEMU would guess. */
	g_autofree char *guess = g_build_filename(place, "guess.qcow2", NULL);
	guint8 head[1024] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3, [14] = 2, [19] = 9, [21] = 0, [23] = 16, [103] = 104 };
	memcpy(head + 512, "flat.vmdk", 9);
	g_assert_true(g_file_set_contents(guess, (const char *)head, sizeof head, NULL));
	const char *const all[] = { over, linked, split, flat, child, guess };
	for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
		BAD(utm_image_convert(f->context, all[i], out, NULL, &error), UTM_ERROR_BUNDLE_PATH_ESCAPE);
		BAD(utm_image_convert(f->context, all[i], NULL, NULL, &error), UTM_ERROR_BUNDLE_PATH_ESCAPE);
		BAD(utm_image_resize(f->context, all[i], 2 * MIB, NULL, &error), UTM_ERROR_BUNDLE_PATH_ESCAPE);
	}
	UtmImageInfo *info = NULL;
	BAD(utm_image_inspect(f->context, split, NULL, &info, &error), UTM_ERROR_BUNDLE_PATH_ESCAPE);
	BAD(utm_image_inspect(f->context, flat, NULL, &info, &error), UTM_ERROR_BUNDLE_PATH_ESCAPE);
	GOOD(utm_image_convert(f->context, parent, out, NULL, &error)); /* one file: nothing is wrong with it */
}

/* Each file of a chain with the format that the one above it names, whatever it looks like. */
static void test_chain(Fixture *f, gconstpointer data)
{
	g_autofree char *raw = path_of(f, "base"), *middle = path_of(f, "middle.qcow2"), *top = path_of(f, "top.qcow2");
	g_autofree char *out = path_of(f, "out.raw");
	put_noise(raw, 2 * MIB);
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", middle);
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", top);
	GOOD(utm_image_convert(f->context, top, out, NULL, &error));
	g_autofree char *wanted = sum_of(raw), *got = sum_of(out);
	g_assert_cmpstr(wanted, ==, got);
	/* In place it stands alone afterwards. */
	GOOD(utm_image_resize(f->context, top, 4 * MIB, NULL, &error));
	GOOD(utm_image_convert(f->context, top, NULL, NULL, &error));
	UtmImageInfo *info = inspect(f, top);
	g_assert_null(info->backing_file);
	g_assert_cmpuint(info->virtual_size_bytes, ==, 4 * MIB);
	g_assert_cmpuint(info->allocated_bytes, >=, 2 * MIB);
	utm_image_info_unref(info);
}

static void test_damaged(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2"), *fifo = path_of(f, "fifo.img"), *out = path_of(f, "out.raw");
	UtmImageInfo *info = NULL;
	put_file(f->place, "a.qcow2", "no image");
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	BAD(utm_image_inspect(f->context, path, NULL, &info, &error), UTM_ERROR_IMAGE_INVALID);
	BAD(utm_image_resize(f->context, path, MIB, NULL, &error), UTM_ERROR_IMAGE_INVALID);
	BAD(utm_image_convert(f->context, path, out, NULL, &error), UTM_ERROR_IMAGE_INVALID);
	BAD(utm_image_inspect(f->context, fifo, NULL, &info, &error), UTM_ERROR_IO);
	BAD(utm_image_inspect(f->context, f->place, NULL, &info, &error), UTM_ERROR_IO);
	BAD(utm_image_inspect(f->context, out, NULL, &info, &error), UTM_ERROR_NOT_FOUND);
	g_assert_null(info);
	UtmError *error = NULL;
	g_assert_cmpint(utm_image_inspect(f->context, path, NULL, &info, &error), <, 0);
	g_assert_cmpstr(utm_error_get_file(error), ==, path);
	g_assert_null(strstr(utm_error_get_message(error), "/proc/"));
	utm_error_unref(error);
}

/* --- sizes --- */

static void test_resize(Fixture *f, gconstpointer data)
{
	static const char *const names[] = { "a.qcow2", "a.img" };
	UtmImageResizeOptions shrink = UTM_IMAGE_RESIZE_OPTIONS_INIT;
	shrink.flags = UTM_IMAGE_RESIZE_SHRINK;
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = path_of(f, names[i]);
		GOOD(utm_image_create(f->context, path, 4 * MIB, NULL, &error));
		GOOD(utm_image_resize(f->context, path, 8 * MIB, NULL, &error));
		g_assert_cmpuint(size_of(f, path), ==, 8 * MIB);
		GOOD(utm_image_resize(f->context, path, 8 * MIB, NULL, &error));
		BAD(utm_image_resize(f->context, path, 8 * MIB - 512, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
		g_assert_cmpuint(size_of(f, path), ==, 8 * MIB);
		GOOD(utm_image_resize(f->context, path, 2 * MIB, &shrink, &error));
		g_assert_cmpuint(size_of(f, path), ==, 2 * MIB);
	}
	g_autofree char *vdi = path_of(f, "a.vmdk");
	RUN("qemu-img", "create", "-q", "-f", "vmdk", vdi, "1M");
	BAD(utm_image_resize(f->context, vdi, 2 * MIB, NULL, &error), UTM_ERROR_NOT_SUPPORTED);
}

/* --- formats --- */

static void test_convert(Fixture *f, gconstpointer data)
{
	static const char *const names[] = { "a.qcow2", "a.vmdk", "a.vdi", "a.vhdx", "a.img" };
	g_autofree char *raw = path_of(f, "a.raw"), *last = NULL;
	put_noise(raw, 3 * MIB);
	g_autofree char *wanted = sum_of(raw), *from = g_strdup(raw);
	UtmProgress *progress = utm_progress_new();
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	options.flags = UTM_IMAGE_CONVERT_VERIFY;
	options.progress = progress;
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *to = path_of(f, names[i]);
		GOOD(utm_image_convert(f->context, from, to, &options, &error));
		UtmImageInfo *info = inspect(f, to);
		g_assert_cmpuint(info->format, ==, info->content_format ? info->content_format : UTM_IMAGE_FORMAT_RAW);
		utm_image_info_unref(info);
		g_free(from);
		from = g_steal_pointer(&to);
	}
	last = sum_of(from);
	g_assert_cmpstr(wanted, ==, last);
	guint64 done, total;
	utm_progress_get(progress, &done, &total);
	g_assert_cmpuint(done, ==, 3 * MIB);
	g_assert_cmpuint(total, ==, 3 * MIB);
	utm_progress_unref(progress);
	g_assert_cmpuint(count_entries(f->place), ==, G_N_ELEMENTS(names) + 1);
}

static void test_convert_replaces_when_told(Fixture *f, gconstpointer data)
{
	g_autofree char *from = path_of(f, "a.img"), *to = path_of(f, "b.qcow2"), *link = path_of(f, "link.qcow2");
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	put_noise(from, MIB);
	put_file(f->place, "b.qcow2", "precious");
	g_assert_cmpint(g_chmod(to, 0640), ==, 0);
	put_link(f->place, "link.qcow2", "b.qcow2");
	BAD(utm_image_convert(f->context, from, to, &options, &error), UTM_ERROR_BUNDLE_EXISTS);
	BAD(utm_image_convert(f->context, from, from, &options, &error), UTM_ERROR_BUNDLE_EXISTS);
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(to, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "precious");
	options.flags = UTM_IMAGE_CONVERT_REPLACE;
	GOOD(utm_image_convert(f->context, from, link, &options, &error));
	struct stat info;
	g_assert_cmpint(lstat(link, &info), ==, 0);
	g_assert_true(S_ISLNK(info.st_mode)); /* what it leads to was replaced */
	g_assert_cmpint(stat(to, &info), ==, 0);
	g_assert_cmpint(info.st_mode & 0777, ==, 0640);
	g_assert_cmpuint(size_of(f, to), ==, MIB);
	g_assert_cmpuint(count_entries(f->place), ==, 3);
	options.compression = UTM_IMAGE_COMPRESSION_ZLIB;
	options.format = UTM_IMAGE_FORMAT_RAW;
	BAD(utm_image_convert(f->context, from, to, &options, &error), UTM_ERROR_INVALID_ARGUMENT);
}

static void test_compact(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2"), *raw = path_of(f, "a.raw");
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	put_noise(raw, 4 * MIB);
	RUN("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=131072", raw, path);
	RUN("qemu-io", "-f", "qcow2", "-c", "write -z 0 3M", path);
	g_assert_cmpint(g_chmod(path, 0644), ==, 0);
	UtmImageInfo *before = inspect(f, path);
	options.flags = UTM_IMAGE_CONVERT_VERIFY;
	options.compression = UTM_IMAGE_COMPRESSION_ZSTD;
	GOOD(utm_image_convert(f->context, path, NULL, &options, &error));
	UtmImageInfo *after = inspect(f, path);
	g_assert_cmpuint(before->allocated_bytes, >=, 4 * MIB);
	g_assert_cmpuint(after->allocated_bytes, <, 2 * MIB);
	g_assert_cmpuint(after->virtual_size_bytes, ==, 4 * MIB);
	g_assert_cmpuint(after->cluster_size_bytes, ==, 131072);
	utm_image_info_unref(before);
	utm_image_info_unref(after);
	struct stat info;
	g_assert_cmpint(stat(path, &info), ==, 0);
	g_assert_cmpint(info.st_mode & 0777, ==, 0644);
}

static void test_compact_keeps_saved_states(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2");
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	GOOD(utm_image_create(f->context, path, MIB, NULL, &error));
	RUN("qemu-img", "snapshot", "-c", "precious", path);
	BAD(utm_image_convert(f->context, path, NULL, NULL, &error), UTM_ERROR_INVALID_STATE);
	options.flags = UTM_IMAGE_CONVERT_DROP_SNAPSHOTS;
	GOOD(utm_image_convert(f->context, path, NULL, &options, &error));
	UtmImageInfo *info = inspect(f, path);
	g_assert_cmpuint(info->snapshot_count, ==, 0);
	utm_image_info_unref(info);
}

/* --- stopping --- */

static void test_cancel(Fixture *f, gconstpointer data)
{
	g_autofree char *path = put_slow_image(f, "a.qcow2"), *before = sum_of(path), *out = path_of(f, "out.qcow2");
	UtmImageConvertOptions options = slow_options();
	UtmProgress *progress = utm_progress_new();
	for (int in_place = 0; in_place <= 1; in_place++) {
		Seen seen = { 0 };
		guint64 done = 0, total = 0, last = 0;
		options.cancel = utm_cancel_new();
		options.progress = progress;
		GOOD(utm_image_convert_async(f->context, path, in_place ? NULL : out, &options, on_done, &seen, on_free,
		                             &error));
		gint64 end = g_get_monotonic_time() + WAIT_S * G_USEC_PER_SEC;
		while (g_get_monotonic_time() < end && (!total || done < total / 20)) {
			utm_progress_get(progress, &done, &total);
			g_assert_cmpuint(done, <=, total);
			g_assert_cmpuint(done, >=, in_place ? 0 : last);
			last = done;
			g_usleep(2000);
		}
		g_assert_cmpuint(total, ==, SLOW_BYTES);
		g_assert_cmpuint(done, <, total);
		utm_cancel_trigger(options.cancel);
		await(f, &seen);
		g_assert_cmpint(seen.code, ==, UTM_ERROR_CANCELLED);
		g_assert_cmpint(seen.frees, ==, 1);
		utm_cancel_unref(options.cancel);
		g_assert_cmpint(find_tool(getpid()), ==, 0);
		g_assert_cmpuint(count_entries(f->place), ==, 1);
	}
	utm_progress_unref(progress);
	g_autofree char *after = sum_of(path);
	g_assert_cmpstr(before, ==, after);
}

static void test_deadline(Fixture *f, gconstpointer data)
{
	g_autofree char *path = put_slow_image(f, "a.qcow2"), *before = sum_of(path);
	UtmImageConvertOptions options = slow_options();
	options.timeout_ms = 50;
	BAD(utm_image_convert(f->context, path, NULL, &options, &error), UTM_ERROR_TIMEOUT);
	g_autofree char *after = sum_of(path);
	g_assert_cmpstr(before, ==, after);
	g_assert_cmpuint(count_entries(f->place), ==, 1);
}

/* The tool is killed by somebody, at different moments. */
static void test_killed_tool(Fixture *f, gconstpointer data)
{
	g_autofree char *path = put_slow_image(f, "a.qcow2"), *before = sum_of(path);
	UtmImageConvertOptions options = slow_options();
	for (int i = 0; i < 3; i++) {
		Seen seen = { 0 };
		GOOD(utm_image_convert_async(f->context, path, NULL, &options, on_done, &seen, NULL, &error));
		await_tool(getpid());
		g_usleep((gulong)i * 80000);
		/* The first is one that only looks: it may have gone by itself. */
		while (!seen.calls) {
			pid_t tool = find_tool(getpid());
			if (tool)
				kill(tool, SIGKILL);
			utm_context_wait(f->context, 20);
		}
		g_assert_cmpint(seen.code, ==, UTM_ERROR_PROCESS_EXITED);
		g_assert_cmpuint(count_entries(f->place), ==, 1);
		g_autofree char *after = sum_of(path);
		g_assert_cmpstr(before, ==, after);
	}
}

/* The whole program is killed, at different moments: the old file is there, nothing else is, and nobody works on. */
static void test_killed_program(Fixture *f, gconstpointer data)
{
	g_autofree char *path = put_slow_image(f, "a.qcow2"), *before = sum_of(path);
	for (int i = 0; i < 4; i++) {
		pid_t program = start_self((const char *const[]){ "compact", path, NULL });
		pid_t tool = await_tool(program);
		g_usleep((gulong)i * 50000);
		tool = find_tool(program) ?: tool;
		kill(program, SIGKILL);
		g_assert_true(WIFSIGNALED(end_of(program)));
		for (int tries = 0; tries < WAIT_S * 100 && is_alive(tool); tries++)
			g_usleep(10000);
		g_assert_false(is_alive(tool));
		g_autofree char *after = sum_of(path);
		g_assert_cmpstr(before, ==, after);
		g_assert_cmpuint(count_entries(f->place), ==, 1);
	}
}

/* No room: a limit of the process, and a small file system. */
static void test_no_room(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2"), *raw = path_of(f, "a.raw");
	put_noise(raw, 8 * MIB);
	RUN("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path);
	g_autofree char *before = sum_of(path);
	g_assert_cmpint(end_of(start_self((const char *const[]){ "limit", path, NULL })), ==, 0);
	g_autofree char *after = sum_of(path);
	g_assert_cmpstr(before, ==, after);
	g_assert_cmpuint(count_entries(f->place), ==, 2);
	int status = end_of(start_self((const char *const[]){ "tmpfs", f->place, raw, NULL }));
	if (WEXITSTATUS(status) == 77)
		g_test_skip("no file systems may be mounted here");
	else
		g_assert_cmpint(status, ==, 0);
}

/* A host that ignores SIGCHLD never learns how a child ended. */
static void test_unknown_end(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2"), *raw = path_of(f, "a.raw");
	put_noise(raw, 2 * MIB);
	RUN("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path);
	g_assert_cmpint(end_of(start_self((const char *const[]){ "ignore-children", path, NULL })), ==, 0);
	g_assert_cmpuint(size_of(f, path), ==, 2 * MIB);
}

/* File systems that do not know files without names, as seen through a filter of system calls. */
static void test_named_drafts(Fixture *f, gconstpointer data)
{
	g_autofree char *path = put_slow_image(f, "a.qcow2");
	g_assert_cmpint(end_of(start_self((const char *const[]){ "named-drafts", path, NULL })), ==, 0);
	g_assert_cmpuint(size_of(f, path), ==, SLOW_BYTES);
	g_assert_cmpuint(count_entries(f->place), ==, 2);
}

/* --- in use --- */

typedef struct Machine {
	GPid pid;
	int input;
} Machine;

static void end_with_parent(gpointer data)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* A real QEMU that has the image open for writing, paused. */
static Machine start_machine(const char *path, const char *format)
{
	Machine machine = { 0 };
	g_autofree char *drive = g_strdup_printf("if=none,id=d,format=%s,file=%s", format, path);
	int output = -1;
	const char *argv[] = { "qemu-system-x86_64",
		                   "-M",
		                   "q35",
		                   "-accel",
		                   "tcg",
		                   "-m",
		                   "32",
		                   "-S",
		                   "-display",
		                   "none",
		                   "-nodefaults",
		                   "-drive",
		                   drive,
		                   "-device",
		                   "virtio-blk-pci,drive=d",
		                   "-monitor",
		                   "stdio",
		                   NULL };
	g_assert_true(g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH,
	                                       end_with_parent, NULL, &machine.pid, &machine.input, &output, NULL, NULL));
	/* It answers when it has opened everything. */
	g_autoptr(GString) told = g_string_new(NULL);
	char byte;
	g_assert_cmpint(write(machine.input, "info status\n", 12), ==, 12);
	while (!strstr(told->str, "VM status") && read(output, &byte, 1) == 1)
		g_string_append_c(told, byte);
	g_assert_nonnull(strstr(told->str, "VM status"));
	close(output);
	return machine;
}

static void end_machine(Machine *machine)
{
	kill(machine->pid, SIGKILL);
	end_of(machine->pid);
	close(machine->input);
}

static void test_in_use(Fixture *f, gconstpointer data)
{
	static const char *const formats[] = { "qcow2", "raw" };
	g_autofree char *qemu = g_find_program_in_path("qemu-system-x86_64");
	if (!qemu) {
		g_test_skip("no qemu-system-x86_64");
		return;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_autofree char *name = g_strdup_printf("a.%s", formats[i]);
		g_autofree char *path = path_of(f, name), *out = path_of(f, "out.qcow2");
		UtmImageConvertOptions replace = UTM_IMAGE_CONVERT_OPTIONS_INIT;
		replace.flags = UTM_IMAGE_CONVERT_REPLACE;
		GOOD(utm_image_create(f->context, path, MIB, NULL, &error));
		Machine machine = start_machine(path, formats[i]);
		BAD(utm_image_convert(f->context, path, NULL, NULL, &error), UTM_ERROR_IMAGE_IN_USE);
		BAD(utm_image_convert(f->context, path, out, NULL, &error), UTM_ERROR_IMAGE_IN_USE);
		BAD(utm_image_resize(f->context, path, 2 * MIB, NULL, &error), UTM_ERROR_IMAGE_IN_USE);
		GOOD(utm_image_create(f->context, out, MIB, NULL, &error));
		BAD(utm_image_convert(f->context, out, path, &replace, &error), UTM_ERROR_IMAGE_IN_USE);
		g_remove(out);
		UtmImageInfo *info = inspect(f, path);
		g_assert_true(info->in_use);
		utm_image_info_unref(info);
		end_machine(&machine);
		GOOD(utm_image_convert(f->context, path, NULL, NULL, &error));
	}
}

static int write_to(const char *path)
{
	int status = -1;
	const char *argv[] = { "qemu-io", "-f", "qcow2", "-c", "write 0 512", path, NULL };
	g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL,
	                           G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL | G_SPAWN_STDOUT_TO_DEV_NULL, NULL,
	                           NULL, NULL, NULL, &status, NULL));
	return status;
}

/* No QEMU gets it while it is converted; whoever writes past the locks is seen. */
static void test_kept_from_others(Fixture *f, gconstpointer data)
{
	g_autofree char *path = put_slow_image(f, "a.qcow2");
	UtmImageConvertOptions options = slow_options();
	Seen seen = { 0 };
	options.progress = utm_progress_new();
	GOOD(utm_image_convert_async(f->context, path, NULL, &options, on_done, &seen, NULL, &error));
	guint64 total = 0;
	for (int i = 0; i < WAIT_S * 100 && !total; i++) {
		utm_progress_get(options.progress, NULL, &total);
		g_usleep(10000);
	}
	g_assert_cmpint(write_to(path), !=, 0);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	g_assert_cmpint(pwrite(fd, "x", 1, SLOW_BYTES), ==, 1);
	close(fd);
	g_autofree char *before = sum_of(path);
	await(f, &seen);
	g_assert_cmpint(seen.code, ==, UTM_ERROR_IMAGE_IN_USE);
	g_autofree char *after = sum_of(path);
	g_assert_cmpstr(before, ==, after);
	g_assert_cmpint(write_to(path), ==, 0);
	utm_progress_unref(options.progress);
}

/* --- without waiting --- */

static void test_async(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2"), *out = path_of(f, "b.img");
	Seen created = { 0 }, told = { 0 }, resized = { 0 }, converted = { 0 }, wrong = { 0 };
	GOOD(utm_image_create_async(f->context, path, MIB, NULL, on_done, &created, on_free, &error));
	await(f, &created);
	GOOD(utm_image_resize_async(f->context, path, 2 * MIB, NULL, on_done, &resized, on_free, &error));
	await(f, &resized);
	GOOD(utm_image_inspect_async(f->context, path, NULL, on_info, &told, on_free, &error));
	await(f, &told);
	g_assert_cmpuint(told.info->virtual_size_bytes, ==, 2 * MIB);
	utm_image_info_unref(told.info);
	GOOD(utm_image_convert_async(f->context, path, out, NULL, on_done, &converted, on_free, &error));
	await(f, &converted);
	g_assert_cmpint(created.frees + resized.frees + told.frees + converted.frees, ==, 4);
	g_assert_cmpint(created.code | resized.code | told.code | converted.code, ==, 0);
	BAD(utm_image_create_async(f->context, path, 7, NULL, on_done, &wrong, on_free, &error),
	    UTM_ERROR_INVALID_ARGUMENT);
	BAD(utm_image_inspect_async(f->context, "/nowhere", NULL, on_info, &wrong, on_free, &error), UTM_ERROR_NOT_FOUND);
	BAD(utm_image_resize_async(NULL, path, MIB, NULL, on_done, &wrong, on_free, &error), UTM_ERROR_INVALID_ARGUMENT);
	BAD(utm_image_convert_async(f->context, NULL, path, NULL, on_done, &wrong, on_free, &error),
	    UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(wrong.frees, ==, 4);
	g_assert_cmpint(wrong.calls, ==, 0);
	/* One that ends with its context. */
	Seen left = { 0 };
	GOOD(utm_image_convert_async(f->context, path, NULL, NULL, on_done, &left, on_free, &error));
	utm_context_unref(f->context);
	g_assert_cmpint(left.calls, ==, 0);
	g_assert_cmpint(left.frees, ==, 1);
	g_assert_cmpint(find_tool(getpid()), ==, 0);
	g_assert_cmpuint(count_entries(f->place), ==, 2);
	f->context = utm_context_new(NULL, NULL);
	g_assert_cmpuint(size_of(f, path), ==, 2 * MIB);
}

static void test_misuse(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "a.qcow2");
	UtmImageCreateOptions create = UTM_IMAGE_CREATE_OPTIONS_INIT;
	UtmImageResizeOptions resize = UTM_IMAGE_RESIZE_OPTIONS_INIT;
	UtmImageConvertOptions convert = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	UtmImageInspectOptions look = UTM_IMAGE_INSPECT_OPTIONS_INIT;
	UtmImageInfo *info = NULL;
	static const guint64 sizes[] = { 0, 1, 511, 513, G_MAXUINT64, G_MAXUINT64 - 511 };
	for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++)
		BAD(utm_image_create(f->context, path, sizes[i], NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	create.format = 7;
	BAD(utm_image_create(f->context, path, MIB, &create, &error), UTM_ERROR_INVALID_ARGUMENT);
	create.format = UTM_IMAGE_FORMAT_VMDK;
	BAD(utm_image_create(f->context, path, MIB, &create, &error), UTM_ERROR_INVALID_ARGUMENT);
	create.format = UTM_IMAGE_FORMAT_RAW;
	create.preallocation = UTM_IMAGE_PREALLOCATION_METADATA;
	BAD(utm_image_create(f->context, path, MIB, &create, &error), UTM_ERROR_INVALID_ARGUMENT);
	create.preallocation = 4;
	BAD(utm_image_create(f->context, path, MIB, &create, &error), UTM_ERROR_INVALID_ARGUMENT);
	create.size = 0;
	BAD(utm_image_create(f->context, path, MIB, &create, &error), UTM_ERROR_STRUCT_SIZE);
	BAD(utm_image_create(f->context, "", MIB, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	BAD(utm_image_create(NULL, path, MIB, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	GOOD(utm_image_create(f->context, path, MIB, NULL, &error));
	resize.flags = 2;
	BAD(utm_image_resize(f->context, path, MIB, &resize, &error), UTM_ERROR_INVALID_ARGUMENT);
	convert.flags = 8;
	BAD(utm_image_convert(f->context, path, NULL, &convert, &error), UTM_ERROR_INVALID_ARGUMENT);
	convert.flags = 0;
	convert.compression = 3;
	BAD(utm_image_convert(f->context, path, NULL, &convert, &error), UTM_ERROR_INVALID_ARGUMENT);
	convert.compression = 0;
	convert.timeout_ms = -2;
	BAD(utm_image_convert(f->context, path, NULL, &convert, &error), UTM_ERROR_INVALID_ARGUMENT);
	look.reserved = 1;
	BAD(utm_image_inspect(f->context, path, &look, &info, &error), UTM_ERROR_INVALID_ARGUMENT);
	BAD(utm_image_inspect(f->context, path, NULL, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(utm_image_format_get_name(0));
	g_assert_null(utm_image_format_get_name(7));
	for (guint i = 1; i < 7; i++)
		g_assert_cmpuint(utm_image_format_from_name(utm_image_format_get_name(i)), ==, i);
	g_assert_cmpuint(utm_image_format_from_name("luks"), ==, 0);
	g_assert_cmpuint(utm_image_format_from_name(NULL), ==, 0);
	utm_image_info_unref(NULL);
	g_assert_null(utm_image_info_ref(NULL));
	BAD(utm_bundle_add_disk(NULL, MIB, NULL, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	BAD(utm_bundle_compact_image(NULL, "x", NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	BAD(utm_bundle_resize_image(NULL, "x", MIB, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
}

/* --- packages --- */

static UtmBundle *new_bundle(const Fixture *f, uint32_t backend)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	UtmConfig *config = NULL;
	UtmBundle *bundle = NULL;
	g_autofree char *path = path_of(f, "New.utm");
	options.backend = backend;
	options.architecture = backend == UTM_BACKEND_QEMU ? "aarch64" : NULL;
	GOOD(utm_config_new_default(&options, &config, &error));
	GOOD(utm_bundle_create(f->context, path, config, NULL, &bundle, &error));
	utm_config_unref(config);
	return bundle;
}

static char *drive_word(UtmBundle *bundle, size_t index, const char *key)
{
	g_autofree char *path = g_strdup_printf("Drive[%zu].%s", index, key);
	char *value = NULL;
	GOOD(utm_config_get_string(utm_bundle_get_config(bundle), path, &value, &error));
	return value;
}

static void test_add_disk(Fixture *f, gconstpointer data)
{
	UtmBundle *bundle = new_bundle(f, UTM_BACKEND_QEMU);
	UtmImageCreateOptions raw = UTM_IMAGE_CREATE_OPTIONS_INIT;
	size_t first = 99, index = 99;
	GOOD(utm_config_get_count(utm_bundle_get_config(bundle), "Drive", &first, &error));
	GOOD(utm_bundle_add_disk(bundle, 20ull << 30, NULL, &index, &error));
	g_assert_cmpuint(index, ==, first);
	raw.format = UTM_IMAGE_FORMAT_RAW;
	GOOD(utm_bundle_add_disk(bundle, MIB, &raw, NULL, &error));
	for (size_t i = 0; i < 2; i++) {
		g_autofree char *name = drive_word(bundle, first + i, "ImageName"), *path = NULL;
		g_autofree char *identifier = drive_word(bundle, first + i, "Identifier");
		g_autofree char *wanted = g_strconcat(identifier, i ? ".img" : ".qcow2", NULL);
		g_autofree char *interface = drive_word(bundle, first + i, "Interface");
		g_assert_cmpstr(name, ==, wanted);
		g_assert_cmpstr(interface, ==, "VirtIO");
		GOOD(utm_bundle_resolve(bundle, name, &path, &error));
		g_assert_cmpuint(size_of(f, path), ==, i ? MIB : 20ull << 30);
	}
	/* Neither image nor drive when it cannot be. */
	raw.format = UTM_IMAGE_FORMAT_VDI;
	BAD(utm_bundle_add_disk(bundle, MIB, &raw, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	BAD(utm_bundle_add_disk(bundle, 7, NULL, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	g_autofree char *config = g_build_filename(utm_bundle_get_path(bundle), "config.plist", NULL);
	g_autofree char *files = g_build_filename(utm_bundle_get_path(bundle), "Data", NULL);
	g_assert_cmpint(g_remove(config), ==, 0);
	g_assert_cmpint(g_mkdir(config, 0700), ==, 0);
	g_assert_cmpint(utm_bundle_add_disk(bundle, MIB, NULL, NULL, NULL), <, 0);
	g_assert_cmpuint(count_entries(files), ==, 2);
	g_assert_cmpuint(utm_bundle_get_lock_state(bundle), ==, UTM_BUNDLE_UNLOCKED);
	utm_bundle_unref(bundle);
}

static void test_add_disk_apple(Fixture *f, gconstpointer data)
{
	UtmBundle *bundle = new_bundle(f, UTM_BACKEND_APPLE);
	UtmImageCreateOptions options = UTM_IMAGE_CREATE_OPTIONS_INIT;
	size_t index = 99;
	GOOD(utm_bundle_add_disk(bundle, MIB, NULL, &index, &error));
	g_autofree char *name = drive_word(bundle, index, "ImageName");
	g_assert_true(g_str_has_suffix(name, ".img"));
	options.format = UTM_IMAGE_FORMAT_QCOW2;
	BAD(utm_bundle_add_disk(bundle, MIB, &options, NULL, &error), UTM_ERROR_NOT_SUPPORTED);
	utm_bundle_unref(bundle);
}

static void test_package_images(Fixture *f, gconstpointer data)
{
	UtmBundle *bundle = new_bundle(f, UTM_BACKEND_QEMU), *other = NULL;
	UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;
	size_t index = 0;
	Seen seen = { 0 };
	GOOD(utm_bundle_add_disk(bundle, MIB, NULL, &index, &error));
	g_autofree char *name = drive_word(bundle, index, "ImageName"), *path = NULL;
	GOOD(utm_bundle_resolve(bundle, name, &path, &error));
	GOOD(utm_bundle_resize_image(bundle, name, 4 * MIB, NULL, &error));
	g_assert_cmpuint(size_of(f, path), ==, 4 * MIB);
	GOOD(utm_bundle_compact_image(bundle, name, NULL, &error));
	GOOD(utm_bundle_compact_image_async(bundle, name, NULL, on_bundle_done, &seen, on_free, &error));
	await(f, &seen);
	g_assert_cmpint(seen.code, ==, 0);
	Seen resized = { 0 };
	GOOD(utm_bundle_resize_image_async(bundle, name, 8 * MIB, NULL, on_bundle_done, &resized, on_free, &error));
	await(f, &resized);
	g_assert_cmpuint(size_of(f, path), ==, 8 * MIB);
	g_assert_cmpint(seen.frees + resized.frees, ==, 2);
	BAD(utm_bundle_compact_image(bundle, "nothing.qcow2", NULL, &error), UTM_ERROR_IMAGE_MISSING);
	BAD(utm_bundle_compact_image(bundle, "../config.plist", NULL, &error), UTM_ERROR_BUNDLE_PATH_ESCAPE);
	options.format = UTM_IMAGE_FORMAT_RAW;
	BAD(utm_bundle_compact_image(bundle, name, &options, &error), UTM_ERROR_INVALID_ARGUMENT);
	BAD(utm_bundle_resize_image(bundle, name, MIB, NULL, &error), UTM_ERROR_INVALID_ARGUMENT);
	/* Somebody else has the package. */
	GOOD(utm_bundle_open(f->context, utm_bundle_get_path(bundle), &other, &error));
	GOOD(utm_bundle_lock(other, &error));
	BAD(utm_bundle_compact_image(bundle, name, NULL, &error), UTM_ERROR_BUNDLE_LOCKED);
	BAD(utm_bundle_add_disk(bundle, MIB, NULL, NULL, &error), UTM_ERROR_BUNDLE_LOCKED);
	utm_bundle_unref(other);
	g_assert_cmpuint(utm_bundle_get_lock_state(bundle), ==, UTM_BUNDLE_UNLOCKED);
	utm_bundle_unref(bundle);
}

/* While its disk is written anew no machine starts, and other bundles are kept out. */
static void test_package_is_busy(Fixture *f, gconstpointer data)
{
	UtmBundle *bundle = new_bundle(f, UTM_BACKEND_QEMU), *other = NULL;
	UtmImageConvertOptions options = slow_options();
	UtmVm *vm = NULL;
	Seen seen = { 0 };
	g_autofree char *slow = put_slow_image(f, "slow.qcow2");
	char *name = NULL;
	GOOD(utm_bundle_import(bundle, slow, NULL, &name, &error));
	GOOD(utm_vm_new(bundle, &vm, &error));
	options.cancel = utm_cancel_new();
	GOOD(utm_bundle_compact_image_async(bundle, name, &options, on_bundle_done, &seen, on_free, &error));
	g_assert_cmpuint(utm_bundle_get_lock_state(bundle), ==, UTM_BUNDLE_LOCKED);
	BAD(utm_vm_start(vm, NULL, &error), UTM_ERROR_BUNDLE_LOCKED);
	GOOD(utm_bundle_open(f->context, utm_bundle_get_path(bundle), &other, &error));
	BAD(utm_bundle_lock(other, &error), UTM_ERROR_BUNDLE_LOCKED);
	utm_cancel_trigger(options.cancel);
	await(f, &seen);
	g_assert_cmpint(seen.code, ==, UTM_ERROR_CANCELLED);
	g_assert_cmpuint(utm_bundle_get_lock_state(bundle), ==, UTM_BUNDLE_UNLOCKED);
	utm_cancel_unref(options.cancel);
	utm_free(name);
	utm_vm_unref(vm);
	utm_bundle_unref(other);
	utm_bundle_unref(bundle);
}

/* A VMDK of several files never reaches QEMU: they could be any of the host's. */
static void test_package_with_parts(Fixture *f, gconstpointer data)
{
	UtmBundle *bundle = new_bundle(f, UTM_BACKEND_QEMU), *again = NULL;
	UtmConfig *config = utm_config_copy(utm_bundle_get_config(bundle));
	UtmVm *vm = NULL;
	g_autofree char *flat = path_of(f, "flat.vmdk");
	char *name = NULL;
	put_file(f->place, "flat.vmdk",
	         "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
	         "createType=\"monolithicFlat\"\nRW 2048 FLAT \"/etc/passwd\" 0\n");
	g_autofree char *qemu = g_find_program_in_path("qemu-system-aarch64");
	if (!qemu)
		g_test_skip("no qemu-system-aarch64");
	GOOD(utm_bundle_import(bundle, flat, NULL, &name, &error));
	GOOD(utm_config_insert(config, "Drive", -1, "{'ImageType':'Disk','ImageName':'flat.vmdk'}", &error));
	GOOD(utm_bundle_save_config(bundle, config, &error));
	utm_config_unref(config);
	GOOD(utm_bundle_open(f->context, utm_bundle_get_path(bundle), &again, &error));
	GOOD(utm_vm_new(again, &vm, &error));
	if (qemu)
		BAD(utm_vm_start(vm, NULL, &error), UTM_ERROR_BUNDLE_PATH_ESCAPE);
	utm_vm_unref(vm);
	utm_free(name);
	utm_bundle_unref(again);
	utm_bundle_unref(bundle);
}

/* --- without the program --- */

static void test_no_tool(void)
{
	g_autofree char *place = test_place_new(), *path = g_strdup(g_getenv("PATH"));
	g_autofree char *image = g_build_filename(place, "a.qcow2", NULL);
	UtmError *error = NULL;
	g_setenv("PATH", place, TRUE);
	UtmContext *context = utm_context_new(NULL, NULL);
	g_assert_cmpint(utm_image_create(context, image, MIB, NULL, &error), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_file(error), ==, "qemu-img");
	g_assert_nonnull(strstr(utm_error_get_remedy(error), "qemu-utils"));
	utm_error_unref(error);
	utm_context_unref(context);
	/* The context's own directories go first. */
	g_autofree char *tool = g_find_program_in_path("qemu-img");
	g_assert_null(tool);
	g_setenv("PATH", path, TRUE);
	tool = g_find_program_in_path("qemu-img");
	g_autofree char *dir = g_path_get_dirname(tool);
	const char *dirs[] = { dir, NULL };
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.qemu_dirs = dirs;
	g_setenv("PATH", place, TRUE);
	context = utm_context_new(&options, NULL);
	GOOD(utm_image_create(context, image, MIB, NULL, &error));
	utm_context_unref(context);
	g_setenv("PATH", path, TRUE);
	test_remove_tree(place);
}

/* --- this program, called with a word --- */

static int compact(const char *path, int wanted_code, int wanted_errno)
{
	UtmImageConvertOptions options = slow_options();
	UtmContext *context = utm_context_new(NULL, NULL);
	UtmError *error = NULL;
	int code = utm_image_convert(context, path, NULL, &options, &error);
	bool right = code == wanted_code && (code == 0 || utm_error_get_errno(error) == wanted_errno);
	char *text = utm_error_dup_text(error);
	if (!right)
		fprintf(stderr, "# %s\n", code < 0 ? text : "it succeeded");
	utm_free(text);
	utm_error_unref(error);
	utm_context_unref(context);
	return !right;
}

static int be_limited(const char *path)
{
	const struct rlimit limit = { 4 * MIB, 4 * MIB };
	setrlimit(RLIMIT_FSIZE, &limit);
	return compact(path, UTM_ERROR_IO, EFBIG);
}

/* A file system of 12 MiB in which an image of 8 lies already. */
static int be_full(const char *place, const char *raw)
{
	g_autofree char *path = g_build_filename(place, "full.qcow2", NULL);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	int from = open(raw, O_RDONLY | O_CLOEXEC);
	g_autofree char *source = g_strdup_printf("/proc/self/fd/%d", from);
	g_autofree char *content = NULL;
	gsize size = 0;
	if (!g_file_get_contents(source, &content, &size, NULL) || mount("tmpfs", place, "tmpfs", 0, "size=12m") < 0)
		return 77;
	g_autofree char *copy = g_build_filename(place, "copy.raw", NULL);
	g_assert_true(g_file_set_contents(copy, content, (gssize)size / 2, NULL));
	RUN("qemu-img", "convert", "-f", "raw", "-O", "qcow2", copy, path);
	g_remove(copy);
	g_autofree char *filler = g_build_filename(place, "filler", NULL);
	g_assert_true(g_file_set_contents(filler, content, 6 * MIB, NULL));
	g_autofree char *before = sum_of(path);
	int failed = compact(path, UTM_ERROR_IO, ENOSPC);
	g_autofree char *after = sum_of(path);
	return failed || strcmp(before, after) != 0 || count_entries(place) != 2;
}

static void forbid_unnamed_files(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { G_N_ELEMENTS(steps), steps };
	g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
	g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
	g_assert_cmpint(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), <, 0);
}

static int use_named_drafts(const char *path)
{
	Fixture f = { .place = g_path_get_dirname(path) };
	UtmImageConvertOptions slow = slow_options();
	g_autofree char *created = path_of(&f, "b.qcow2"), *before = sum_of(path);
	forbid_unnamed_files();
	f.context = utm_context_new(NULL, NULL);
	GOOD(utm_image_create(f.context, created, MIB, NULL, &error));
	BAD(utm_image_create(f.context, created, MIB, NULL, &error), UTM_ERROR_BUNDLE_EXISTS);
	slow.timeout_ms = 50;
	BAD(utm_image_convert(f.context, path, NULL, &slow, &error), UTM_ERROR_TIMEOUT);
	g_autofree char *after = sum_of(path);
	g_assert_cmpstr(before, ==, after);
	GOOD(utm_image_convert(f.context, path, NULL, NULL, &error));
	utm_context_unref(f.context);
	g_free(f.place);
	return 0;
}

static int be_called(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "named-drafts"))
		return use_named_drafts(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "compact"))
		return compact(argv[2], 0, 0);
	if (argc == 3 && !strcmp(argv[1], "limit"))
		return be_limited(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "ignore-children")) {
		signal(SIGCHLD, SIG_IGN);
		return compact(argv[2], 0, 0);
	}
	return argc == 4 && !strcmp(argv[1], "tmpfs") ? be_full(argv[2], argv[3]) : -1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*test)(Fixture *f, gconstpointer data);
	} tests[] = {
		{ "create/formats", test_create },
		{ "create/sets-room-aside", test_create_sets_room_aside },
		{ "create/overwrites-nothing", test_create_overwrites_nothing },
		{ "names/odd", test_odd_names },
		{ "names/relative", test_relative_names },
		{ "inspect", test_inspect },
		{ "inspect/damaged", test_damaged },
		{ "trust/raw-stays-raw", test_raw_stays_raw },
		{ "trust/leads-out", test_leads_out },
		{ "trust/chain", test_chain },
		{ "resize", test_resize },
		{ "convert/formats", test_convert },
		{ "convert/replaces-when-told", test_convert_replaces_when_told },
		{ "compact", test_compact },
		{ "compact/keeps-saved-states", test_compact_keeps_saved_states },
		{ "stop/cancel", test_cancel },
		{ "stop/deadline", test_deadline },
		{ "stop/killed-tool", test_killed_tool },
		{ "stop/killed-program", test_killed_program },
		{ "stop/no-room", test_no_room },
		{ "stop/unknown-end", test_unknown_end },
		{ "named-drafts", test_named_drafts },
		{ "in-use/by-a-machine", test_in_use },
		{ "in-use/kept-from-others", test_kept_from_others },
		{ "async", test_async },
		{ "misuse", test_misuse },
		{ "package/add-disk", test_add_disk },
		{ "package/add-disk-apple", test_add_disk_apple },
		{ "package/images", test_package_images },
		{ "package/is-busy", test_package_is_busy },
		{ "package/with-parts", test_package_with_parts },
	};
	self = "/proc/self/exe";
	int status = argc > 1 ? be_called(argc, argv) : -1;
	if (status >= 0)
		return status;
	g_autofree char *program = realpath(self, NULL);
	self = program;
	g_test_init(&argc, &argv, NULL);
	g_autofree char *tool = g_find_program_in_path("qemu-img"), *io = g_find_program_in_path("qemu-io");
	if (!tool || !io) {
		g_test_skip("qemu-img and qemu-io are not installed: package qemu-utils");
		return g_test_run();
	}
	for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/image/", tests[i].path, NULL);
		g_test_add(path, Fixture, NULL, set_up, tests[i].test, tear_down);
	}
	g_test_add_func("/image/no-tool", test_no_tool);
	return g_test_run();
}
