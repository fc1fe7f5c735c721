/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle.h"

#include <glib/gstdio.h>
#include <string.h>
#include <utm/utm.h>

static const char template[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<plist version=\"1.0\"><dict>\n"
	"<key>Backend</key><string>QEMU</string><key>ConfigurationVersion</key><integer>4</integer>\n"
	"<key>Information</key><dict><key>Name</key><string>Test</string><key>IconCustom</key><false/>\n"
	"<key>UUID</key><string>11111111-2222-4333-8444-555555555555</string></dict>\n"
	"<key>System</key><dict><key>Architecture</key><string>x86_64</string><key>Target</key><string>q35</string>\n"
	"<key>CPU</key><string>default</string><key>CPUFlagsAdd</key><array/><key>CPUFlagsRemove</key><array/>\n"
	"<key>CPUCount</key><integer>1</integer><key>ForceMulticore</key><false/>\n"
	"<key>MemorySize</key><integer>64</integer><key>JITCacheSize</key><integer>0</integer></dict>\n"
	"<key>QEMU</key><dict><key>DebugLog</key><false/><key>UEFIBoot</key><false/><key>RNGDevice</key><false/>\n"
	"<key>BalloonDevice</key><false/><key>TPMDevice</key><false/><key>Hypervisor</key><false/><key>TSO</key><false/>\n"
	"<key>RTCLocalTime</key><false/><key>PS2Controller</key><false/><key>AdditionalArguments</key><array/></dict>\n"
	"<key>Input</key><dict><key>UsbBusSupport</key><string>2.0</string><key>UsbSharing</key><false/>\n"
	"<key>MaximumUsbShare</key><integer>0</integer></dict>\n"
	"<key>Sharing</key><dict><key>DirectoryShareMode</key><string>None</string>\n"
	"<key>DirectoryShareReadOnly</key><false/><key>ClipboardSharing</key><false/></dict>\n"
	"<key>Display</key><array><dict><key>Hardware</key><string>VGA</string><key>DynamicResolution</key><false/>\n"
	"<key>UpscalingFilter</key><string>Nearest</string><key>DownscalingFilter</key><string>Linear</string>\n"
	"<key>NativeResolution</key><false/></dict></array>\n"
	"<key>Drive</key><array/><key>Network</key><array/>\n"
	"<key>Serial</key><array><dict><key>Mode</key><string>Terminal</string><key>Target</key><string>Auto</string>\n"
	"<key>Terminal</key><dict><key>Font</key><string>Menlo</string><key>FontSize</key><integer>12</integer>\n"
	"<key>CursorBlink</key><true/></dict></dict></array>\n"
	"<key>Sound</key><array/>\n"
	"</dict></plist>\n";

static void apply(UtmConfig *config, const TestEdit *edit)
{
	UtmError *error = NULL;
	if (utm_config_set_text(config, edit->key_path, edit->text, &error) < 0) {
		g_autofree char *text = utm_error_dup_text(error);
		g_error("test bundle: %s", text);
	}
}

char *test_config_plist(const TestEdit *edits)
{
	UtmConfig *config = NULL;
	char *plist = NULL;
	size_t size;
	g_assert_cmpint(utm_config_new_from_data(template, strlen(template), &config, NULL), ==, 0);
	for (; edits && edits->key_path; edits++)
		apply(config, edits);
	g_assert_cmpint(utm_config_to_plist(config, &plist, &size, NULL), ==, 0);
	utm_config_unref(config);
	return plist;
}

char *test_bundle_new(const char *name, const TestEdit *edits)
{
	g_autofree char *above = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *file = g_strconcat(name, ".utm", NULL);
	char *bundle = g_build_filename(above, file, NULL);
	g_autofree char *data = g_build_filename(bundle, "Data", NULL);
	g_autofree char *config = g_build_filename(bundle, "config.plist", NULL);
	g_autofree char *plist = test_config_plist(edits);
	g_assert_cmpint(g_mkdir_with_parents(data, 0700), ==, 0);
	g_assert_true(g_file_set_contents(config, plist, -1, NULL));
	return bundle;
}

void test_bundle_add_file(const char *bundle, const char *name, const char *source, gsize size)
{
	g_autofree char *path = g_build_filename(bundle, "Data", name, NULL);
	g_autofree char *contents = NULL;
	if (source)
		g_assert_true(g_file_get_contents(source, &contents, &size, NULL));
	else
		contents = g_malloc0(size + 1);
	g_assert_true(g_file_set_contents(path, contents, (gssize)size, NULL));
}

void test_bundle_remove(char *bundle_taken)
{
	g_autofree char *above = g_path_get_dirname(bundle_taken);
	test_remove_tree(above);
	g_free(bundle_taken);
}
