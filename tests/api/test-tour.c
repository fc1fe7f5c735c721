/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tour of struct.h as a program, so that what it shows compiles and makes what it says. */
#include <glib.h>
#include <utm/qmp-types.h>
#include <utm/utm.h>

static void test_blockdev_add(void)
{
	UtmQmpBlockdevOptions *file = utm_qmp_blockdev_options_new();
	file->driver = UTM_QMP_BLOCKDEV_DRIVER_FILE;
	file->u.file = utm_qmp_blockdev_options_file_new();
	utm_set_string(&file->u.file->filename, "debian.qcow2");
	UTM_SET(file->u.file, aio, UTM_QMP_BLOCKDEV_AIO_OPTIONS_THREADS);

	UtmQmpBlockdevOptions *disk = utm_qmp_blockdev_options_new();
	disk->driver = UTM_QMP_BLOCKDEV_DRIVER_QCOW2;
	utm_set_string(&disk->node_name, "disk0");
	UTM_SET(disk, read_only, true);
	disk->u.qcow2 = utm_qmp_blockdev_options_qcow2_new();
	disk->u.qcow2->file = utm_qmp_blockdev_ref_new();
	disk->u.qcow2->file->choice = UTM_QMP_BLOCKDEV_REF_DEFINITION;
	disk->u.qcow2->file->definition = file;

	static const char wanted[] =
		"{\"driver\":\"qcow2\",\"node-name\":\"disk0\",\"read-only\":true,"
		"\"file\":{\"driver\":\"file\",\"aio\":\"threads\",\"filename\":\"debian.qcow2\"}}";
	UtmQmpBlockdevOptions *read = NULL;
	char *json = NULL;
	g_assert_cmpint(utm_qmp_blockdev_options_to_json(disk, &json, NULL), ==, 0);
	g_assert_cmpstr(json, ==, wanted);
	g_assert_cmpint(utm_qmp_blockdev_options_from_json(wanted, &read, NULL), ==, 0);
	g_assert_true(utm_qmp_blockdev_options_equal(disk, read));
	utm_free(json);
	utm_qmp_blockdev_options_free(read);
	utm_qmp_blockdev_options_free(disk);
}

/* Without UTM_SET a value is not sent: that is what it is for. */
static void test_set(void)
{
	UtmQmpDumpGuestMemoryArgs *args = utm_qmp_dump_guest_memory_args_new();
	char *json = NULL;
	utm_set_string(&args->protocol, "file:x");
	args->begin = 5;
	UTM_SET(args, length, 7);
	g_assert_true(args->has_length && args->length == 7 && !args->has_begin);
	g_assert_cmpint(utm_qmp_dump_guest_memory_args_to_json(args, &json, NULL), ==, 0);
	g_assert_cmpstr(json, ==, "{\"length\":7,\"paging\":false,\"protocol\":\"file:x\"}");
	utm_free(json);
	utm_qmp_dump_guest_memory_args_free(args);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tour/blockdev-add", test_blockdev_add);
	g_test_add_func("/tour/set", test_set);
	return g_test_run();
}
