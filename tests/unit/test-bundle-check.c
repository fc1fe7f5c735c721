/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the check of a package finds beside the values: files that are missing, shared, leading out, or nobody's. */
#include "bundle/bundle-private.h"
#include "config/config-private.h"
#include "package.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <utm/findings.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmFindings, utm_findings_free)

#define SAMPLE "golden/base.plist"
#define APPLE "golden/apple-clean.plist"

typedef TestPackage Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
	test_package_init(f, "Machine.utm");
}

static void add_drive(UtmConfig *config, const char *type, const char *id, const char *image)
{
	g_autofree char *json =
		g_strdup_printf("{'ImageType':'%s','Interface':'VirtIO','Identifier':'%s','ImageName':'%s'}", type, id, image);
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, json, NULL), ==, 0);
}

static UtmConfig *sample(const char *name)
{
	g_autofree char *path = g_build_filename(g_test_get_dir(G_TEST_DIST), name, NULL);
	UtmConfig *config = NULL;
	g_assert_cmpint(utm_config_new_from_file(path, &config, NULL), ==, 0);
	return config;
}

/* The findings of the package with this configuration, "severity code KeyPath file" each in a line. */
static char *find(Fixture *f, UtmConfig *config)
{
	g_autofree char *plist = NULL;
	g_autoptr(UtmBundle) bundle = NULL;
	g_autoptr(UtmFindings) findings = NULL;
	GString *text = g_string_new(NULL);
	size_t size;
	g_assert_cmpint(utm_config_to_plist(config, &plist, &size, NULL), ==, 0);
	put_file(f->root, "config.plist", plist);
	g_assert_cmpint(utm_bundle_open(f->context, f->root, &bundle, NULL), ==, 0);
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;
	options.host = f->host;
	g_assert_cmpint(utm_bundle_check(bundle, &options, &findings, NULL), ==, 0);
	for (size_t i = 0; i < utm_findings_get_count(findings); i++) {
		const UtmFinding *finding = utm_findings_get(findings, i);
		g_assert_true(!finding->file || g_str_has_prefix(finding->file, f->root));
		g_string_append_printf(text, "%s%s %s %s %s", i ? "\n" : "", utm_finding_severity_get_name(finding->severity),
		                       utm_finding_code_get_name(finding->code), finding->key_path ? finding->key_path : "-",
		                       finding->file ? finding->file + strlen(f->root) + 1 : "-");
	}
	return g_string_free(text, FALSE);
}

static void test_clean(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(SAMPLE);
	add_drive(config, "Disk", "A", "a.qcow2");
	add_drive(config, "CD", "B", "b.iso");
	put_file(f->data, "a.qcow2", "a");
	put_file(f->data, "b.iso", "b");
	g_autofree char *found = find(f, config);
	g_assert_cmpstr(found, ==, "");
}

static void test_missing(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(SAMPLE);
	add_drive(config, "Disk", "A", "a.qcow2");
	add_drive(config, "Disk", "B", "directory.img");
	add_drive(config, "LinuxKernel", "C", "vmlinuz");
	g_assert_cmpint(utm_config_set_text(config, "QEMU.UEFIBoot", "true", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "Information.IconCustom", "true", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "Information.Icon", "icon.png", NULL), ==, 0);
	g_autofree char *directory = g_build_filename(f->data, "directory.img", NULL);
	g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);
	g_autofree char *found = find(f, config);
	g_assert_cmpstr(found, ==,
	                "error image-missing Drive[0].ImageName Data/a.qcow2\n"
	                "error image-missing Drive[1].ImageName Data/directory.img\n"
	                "error image-missing Drive[2].ImageName Data/vmlinuz\n"
	                "error image-missing Information.Icon Data/icon.png\n"
	                "info vars-missing QEMU.UEFIBoot -");
}

/* A store that leads elsewhere, which is found whatever the host; and one for other firmware than the host's. */
static void test_vars(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(SAMPLE);
	g_assert_cmpint(utm_config_set_text(config, "QEMU.UEFIBoot", "true", NULL), ==, 0);
	put_file(f->data, "real.fd", "x");
	put_link(f->data, "efi_vars.fd", "real.fd");
	g_autofree char *linked = find(f, config);
	g_assert_nonnull(strstr(linked, "error path-escape QEMU.UEFIBoot Data/efi_vars.fd\n"));
	g_autofree char *store = g_build_filename(f->data, "efi_vars.fd", NULL);
	g_assert_cmpint(g_remove(store), ==, 0);
	put_file(f->data, "efi_vars.fd", "short");
	g_autofree char *any = find(f, config);
	g_assert_null(strstr(any, "efi_vars.fd"));
	g_autofree char *template = g_build_filename(f->outside, "vars.fd", NULL);
	g_autofree char *json = g_strdup_printf("{ 'Firmware': [ { 'Architecture': 'x86_64', 'Code': '/c', 'VarsTemplate': "
	                                        "'%s' } ] }", template);
	put_file(f->outside, "vars.fd", "longer");
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, g_strdelimit(json, "'", '"'), &f->host, NULL), ==, 0);
	g_autofree char *found = find(f, config);
	g_assert_nonnull(strstr(found, "error vars-unfit QEMU.UEFIBoot Data/efi_vars.fd\n"));
	put_file(f->data, "efi_vars.fd", "fitted");
	g_autofree char *fits = find(f, config);
	g_assert_null(strstr(fits, "efi_vars.fd"));
}

static void test_others(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(SAMPLE);
	add_drive(config, "Disk", "A", "a.img");
	put_file(f->data, "real.img", "a");
	put_link(f->data, "a.img", "real.img");
	put_file(f->data, "old.qcow2", "x");
	put_link(f->data, "away", "/etc/passwd");
	g_autofree char *found = find(f, config);
	g_assert_cmpstr(found, ==,
	                "info link - Data/a.img\n"
	                "info file-unreferenced - Data/away\n"
	                "info link - Data/away\n"
	                "info file-unreferenced - Data/old.qcow2\n"
	                "info file-unreferenced - Data/real.img");
}

/* Two names of one file, which the configuration alone cannot tell. */
static void test_one_file(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(SAMPLE);
	g_autofree char *first = g_build_filename(f->data, "a.img", NULL);
	g_autofree char *second = g_build_filename(f->data, "b.img", NULL);
	add_drive(config, "Disk", "A", "a.img");
	add_drive(config, "Disk", "B", "b.img");
	put_file(f->data, "a.img", "a");
	g_assert_cmpint(link(first, second), ==, 0);
	g_autofree char *found = find(f, config);
	g_assert_cmpstr(found, ==, "error image-twice Drive[1].ImageName -");
}

/* A package that was changed after it had been opened: then what leads out is found, and not followed. */
static void test_escape(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(SAMPLE);
	g_autoptr(UtmBundle) bundle = NULL;
	g_autoptr(UtmFindings) findings = NULL;
	add_drive(config, "Disk", "A", "a.img");
	put_file(f->data, "a.img", "a");
	g_autofree char *found = find(f, config);
	g_assert_cmpstr(found, ==, "");
	g_assert_cmpint(utm_bundle_open(f->context, f->root, &bundle, NULL), ==, 0);
	g_autofree char *path = g_build_filename(f->data, "a.img", NULL);
	g_assert_cmpint(g_unlink(path), ==, 0);
	put_link(f->data, "a.img", "../../secret");
	g_assert_cmpint(utm_bundle_check(bundle, NULL, &findings, NULL), ==, 0);
	g_assert_cmpuint(utm_findings_get(findings, 0)->code, ==, UTM_FINDING_PATH_ESCAPE);
	g_assert_cmpstr(utm_findings_get(findings, 0)->key_path, ==, "Drive[0].ImageName");
}

/* The header of a qcow2 image, version 2, with the name of a backing file behind it. */
static void put_overlay(Fixture *f, const char *name, const char *backing)
{
	guint8 bytes[512] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 2, [15] = 72, [19] = (guint8)strlen(backing), [23] = 16 };
	g_autofree char *path = g_build_filename(f->data, name, NULL);
	memcpy(bytes + 72, backing, strlen(backing));
	g_assert_true(g_file_set_contents(path, (char *)bytes, sizeof bytes, NULL));
}

static void test_backing(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(SAMPLE);
	add_drive(config, "Disk", "A", "a.qcow2");
	add_drive(config, "Disk", "B", "b.qcow2");
	add_drive(config, "Disk", "C", "c.qcow2");
	put_overlay(f, "a.qcow2", "/etc/passwd");
	put_overlay(f, "b.qcow2", "base.qcow2");
	put_overlay(f, "c.qcow2", "../../secret");
	put_file(f->data, "base.qcow2", "x");
	g_autofree char *found = find(f, config);
	g_assert_cmpstr(found, ==,
	                "error path-escape Drive[0].ImageName Data/a.qcow2\n"
	                "error path-escape Drive[2].ImageName Data/c.qcow2");
}

static void test_apple(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(APPLE);
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, "{'Identifier':'A','ImageName':'a.img'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "System.Boot.UEFIBoot", "false", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_text(config, "System.Boot.LinuxKernelPath", "vmlinuz", NULL), ==, 0);
	g_autofree char *found = find(f, config);
	g_assert_cmpstr(found, ==,
	                "error image-missing Drive[0].ImageName Data/a.img\n"
	                "error image-missing System.Boot.LinuxKernelPath Data/vmlinuz");
}

/* Facts of the caller's stay as they are, though what images tell is added for the check. */
static void test_host(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmConfig) config = sample(SAMPLE);
	g_autoptr(UtmBundle) bundle = NULL;
	g_autofree char *before = NULL, *after = NULL;
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;
	UtmFindings *findings = NULL;
	UtmHost *host = NULL;
	add_drive(config, "Disk", "A", "image-of-no-kind");
	put_file(f->data, "image-of-no-kind", "a");
	g_autofree char *found = find(f, config);
	g_assert_cmpstr(found, ==, "");
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, NULL, &host, NULL), ==, 0);
	g_assert_cmpint(utm_host_to_json(host, &before, NULL), ==, 0);
	g_assert_cmpint(utm_bundle_open(f->context, f->root, &bundle, NULL), ==, 0);
	options.host = host;
	g_assert_cmpint(utm_bundle_check(bundle, &options, &findings, NULL), ==, 0);
	g_assert_cmpuint(utm_findings_get_count(findings), ==, 0);
	g_assert_cmpint(utm_host_to_json(host, &after, NULL), ==, 0);
	g_assert_cmpstr(before, ==, after);
	utm_findings_free(findings);
	utm_host_unref(host);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/bundle-check/" name, Fixture, NULL, set_up, function, test_package_tear_down)
	ADD("clean", test_clean);
	ADD("missing", test_missing);
	ADD("vars", test_vars);
	ADD("others", test_others);
	ADD("one-file", test_one_file);
	ADD("escape", test_escape);
	ADD("backing", test_backing);
	ADD("apple", test_apple);
	ADD("host", test_host);
	return g_test_run();
}
