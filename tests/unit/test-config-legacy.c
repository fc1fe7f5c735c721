/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of UTM 1 to 3: each rule of their migration is a line of a table, an old file in JSON and what becomes of it. */
#include "config/config-private.h"

#include <stdio.h>
#include <string.h>

/* --- helpers --- */

static UtmConfig *load_json(const char *json, bool exact)
{
	g_autoptr(UtmError) error = NULL;
	UtmConfigLoadOptions options = UTM_CONFIG_LOAD_OPTIONS_INIT;
	UtmConfig *config = NULL;
	options.flags = exact ? UTM_CONFIG_LOAD_UTM_EXACT : 0;
	options.name = "Old";
	options.host_architecture = "aarch64";
	if (utm_config_load_json(json, &options, &config, &error) < 0)
		g_error("%s: %s: %s", json, utm_error_get_key_path(error), utm_error_get_message(error));
	return config;
}

static char *dup_value(const UtmConfig *config, const char *path)
{
	g_autofree char *json = NULL;
	if (utm_config_to_json(config, path, &json, NULL) < 0)
		return g_strdup("-");
	/* Strings without quotes; lists on one line. */
	gsize length = strlen(json);
	if (json[0] == '"')
		return g_strndup(json + 1, length - 2);
	g_auto(GStrv) lines = g_strsplit(json, "\n", -1);
	for (char **line = lines; *line; line++)
		g_strstrip(*line);
	return g_strjoinv("", lines);
}

static void assert_value(const UtmConfig *config, const char *path, const char *expected)
{
	g_autofree char *value = dup_value(config, path);
	if (strcmp(expected, "*") == 0)
		g_assert_cmpstr(value, !=, "-");
	else
		g_assert_cmpstr(value, ==, expected);
}

/* What has been migrated can be written, and is then of version 4 with the same values. */
static void assert_stable(const UtmConfig *config)
{
	g_autofree char *data = NULL;
	g_autofree char *again_data = NULL;
	g_autoptr(UtmConfig) again = NULL;
	size_t size, again_size;
	g_assert_cmpint(utm_config_to_plist(config, &data, &size, NULL), ==, 0);
	g_assert_cmpint(utm_config_new_from_data(data, size, &again, NULL), ==, 0);
	g_assert_cmpint(utm_config_get_format(again, NULL), ==, UTM_CONFIG_FORMAT_CURRENT);
	g_assert_cmpuint(utm_config_get_note_count(again), ==, 0);
	g_assert_cmpint(utm_config_to_plist(again, &again_data, &again_size, NULL), ==, 0);
	g_assert_cmpstr(data, ==, again_data);
}

/* --- QEMU --- */

typedef enum Mode {
	BOTH,
	MENDED,
	EXACT
} Mode;

typedef struct Case {
	const char *old;
	const char *path;
	const char *expected; /* "-": absent; "*": anything */
	Mode mode;
} Case;

static const Case qemu_cases[] = {
	/* Nothing at all: sections that are not there stay as they are in a new machine, or are false. */
	{ "", "Information.Name", "Old", BOTH },
	{ "", "Information.UUID", "*", BOTH },
	{ "", "Information.Icon", "-", BOTH },
	{ "", "Information.IconCustom", "false", BOTH },
	{ "", "System.Architecture", "x86_64", BOTH },
	{ "", "System.Target", "q35", BOTH },
	{ "", "System.CPU", "default", BOTH },
	{ "", "System.CPUCount", "0", BOTH },
	{ "", "System.MemorySize", "512", BOTH },
	{ "", "System.JITCacheSize", "0", BOTH },
	{ "", "QEMU.RTCLocalTime", "false", BOTH },
	{ "", "QEMU.PS2Controller", "false", BOTH },
	{ "", "QEMU.Hypervisor", "false", BOTH },
	{ "", "QEMU.TSO", "false", BOTH },
	{ "", "QEMU.TPMDevice", "false", BOTH },
	{ "", "QEMU.BalloonDevice", "false", BOTH },
	{ "", "Input.UsbBusSupport", "2.0", BOTH },
	{ "", "Input.UsbSharing", "false", BOTH },
	{ "", "Input.MaximumUsbShare", "3", BOTH },
	{ "", "Sharing.DirectoryShareMode", "None", BOTH },
	{ "", "Display[0].Hardware", "virtio-vga", BOTH },
	{ "", "Display[0].DynamicResolution", "false", BOTH },
	{ "", "Display[0].NativeResolution", "false", BOTH },
	{ "", "Display[0].UpscalingFilter", "Nearest", BOTH },
	{ "", "Display[0].DownscalingFilter", "Linear", BOTH },
	{ "", "Display[0].VgaRamMib", "-", BOTH },
	{ "", "Serial", "[]", BOTH },
	{ "", "Drive", "[]", BOTH },
	{ "", "Network", "[]", BOTH },
	{ "", "Sound", "[]", BOTH },
	/* Rule 2: sound. */
	{ "'Sound':{'SoundEnabled':true}", "Sound[0].Hardware", "AC97", BOTH },
	{ "'Sound':{'SoundEnabled':true,'SoundCard':'hda'}", "Sound[0].Hardware", "intel-hda", BOTH },
	{ "'Sound':{'SoundEnabled':true,'SoundCard':'ac97'}", "Sound[0].Hardware", "AC97", BOTH },
	{ "'Sound':{'SoundEnabled':true,'SoundCard':'sb16'}", "Sound[0].Hardware", "sb16", BOTH },
	{ "'Sound':{'SoundEnabled':true,'SoundCard':'pcspk'}", "Sound", "[]", BOTH },
	{ "'Sound':{'SoundEnabled':false,'SoundCard':'sb16'}", "Sound", "[]", BOTH },
	{ "'Sound':{'SoundCard':'sb16'}", "Sound", "[]", BOTH },
	/* Rule 3: input. */
	{ "'Input':{'TouchscreenMode':true,'DirectInput':true}", "Input.UsbBusSupport", "2.0", BOTH },
	{ "'Input':{'InputLegacy':true},'Sharing':{'Usb3Support':true}", "Input.UsbBusSupport", "Disabled", BOTH },
	{ "'Input':{'InputLegacy':false},'Sharing':{'Usb3Support':true}", "Input.UsbBusSupport", "3.0", BOTH },
	{ "'Sharing':{'Usb3Support':false}", "Input.UsbBusSupport", "2.0", BOTH },
	/* Rule 4: kinds of drive of the oldest files. */
	{ "'Drives':[{'Cdrom':true}]", "Drive[0].ImageType", "CD", BOTH },
	{ "'Drives':[{'Cdrom':false}]", "Drive[0].ImageType", "Disk", BOTH },
	{ "'Drives':[{}]", "Drive[0].ImageType", "Disk", BOTH },
	{ "'Drives':[{'Cdrom':true,'ImageType':'disk'}]", "Drive[0].ImageType", "Disk", BOTH },
	/* Rule 5: names. */
	{ "'Drives':[{'DriveName':'drive7'}]", "Drive[0].Identifier", "7", BOTH },
	{ "'Drives':[{'DriveName':'root'}]", "Drive[0].Identifier", "root", BOTH },
	{ "'Drives':[{'DriveName':'a-b._9'}]", "Drive[0].Identifier", "a-b._9", BOTH },
	{ "'Drives':[{'DriveName':''}]", "Drive[0].Identifier", "*", BOTH },
	{ "'Drives':[{'DriveName':'root'},{}]", "Drive[0].Identifier", "0", BOTH },
	{ "'Drives':[{'DriveName':'root'},{}]", "Drive[1].Identifier", "1", BOTH },
	{ "'Drives':[{'DriveName':'1st'},{'DriveName':'root'}]", "Drive[1].Identifier", "1", BOTH },
	{ "'Drives':[{'DriveName':'root'},{'DriveName':'a b'}]", "Drive[0].Identifier", "0", BOTH },
	{ "'Drives':[{'DriveName':'root'},{'DriveName':'B13356ED-2838'}]", "Drive[1].Identifier", "B13356ED-2838", BOTH },
	{ "'Drives':[{'DriveName':'\u00e9'}]", "Drive[0].Identifier", "0", BOTH },
	/* Rule 6: network card and address. */
	{ "'Networking':{'NetworkMode':'shared'}", "Network[0].Hardware", "rtl8139", BOTH },
	{ "'Networking':{'NetworkMode':'shared'}", "Network[0].MacAddress", "*", BOTH },
	/* Rule 7: the mode of the oldest files. */
	{ "'Networking':{'NetworkEnabled':true}", "Network[0].Mode", "Emulated", BOTH },
	{ "'Networking':{'NetworkEnabled':true,'NetworkMode':'bridged'}", "Network[0].Mode", "Emulated", BOTH },
	{ "'Networking':{'NetworkEnabled':false,'NetworkMode':'bridged'}", "Network", "[]", BOTH },
	/* Rule 8: arguments of the oldest files. */
	{ "'System':{'AddArgs':'-vga std'}", "QEMU.AdditionalArguments", "[\"-vga std\"]", BOTH },
	{ "'System':{'AddArgs':['-s','','-S']}", "QEMU.AdditionalArguments", "[\"-s\",\"\",\"-S\"]", BOTH },
	{ "'System':{'AddArgs':['-s',5]}", "QEMU.AdditionalArguments", "[\"-s\"]", BOTH },
	{ "'System':{}", "QEMU.AdditionalArguments", "[]", BOTH },
	/* Rule 9: machine types; the table has a test of its own. */
	{ "'System':{'Architecture':'ppc','Target':''}", "System.Target", "g3beige", BOTH },
	{ "'System':{'Architecture':'ppc','Target':'mac99'}", "System.Target", "mac99", BOTH },
	{ "'System':{'Target':'pc'}", "System.Target", "pc", BOTH },
	{ "'System':{'Architecture':'loongarch64'}", "System.Target", "virt", MENDED },
	{ "'System':{'Architecture':'loongarch64'}", "System.Target", "q35", EXACT },
	{ "'System':{'Architecture':'cris'}", "System.Architecture", "x86_64", BOTH },
	{ "'System':{'Architecture':'cris','Target':'axis-dev88'}", "System.Target", "q35", BOTH },
	{ "'System':{'Architecture':'nios2'}", "System.Target", "q35", BOTH },
	{ "'System':{'Architecture':'nonsense','Target':'pc-i440fx-6.0'}", "System.Target", "pc-i440fx-6.0", BOTH },
	{ "'System':{'Architecture':'hppa','Target':'hppa'}", "System.Target", "B160L", BOTH },
	{ "'System':{'Architecture':'sh4'}", "System.Target", "r2d", MENDED },
	{ "'System':{'Architecture':'sh4eb'}", "System.Target", "none", EXACT },
	{ "'System':{'Architecture':'sh4','Target':'shix'}", "System.Target", "r2d", MENDED },
	{ "'System':{'Architecture':'sh4','Target':'shix'}", "System.Target", "none", EXACT },
	/* What is in no list of UTM's becomes the default of the architecture. */
	{ "'System':{'Architecture':'x86_64','Target':'pc-i440fx-2.4'}", "System.Target", "pc-i440fx-2.4", BOTH },
	{ "'System':{'Architecture':'x86_64','Target':'pc-i440fx-2.3'}", "System.Target", "q35", BOTH },
	{ "'System':{'Architecture':'x86_64','Target':'pc-q35-10.0'}", "System.Target", "pc-q35-10.0", BOTH },
	{ "'System':{'Architecture':'aarch64','Target':'q35'}", "System.Target", "virt", BOTH },
	{ "'System':{'Architecture':'riscv64','Target':'gone'}", "System.Target", "virt", BOTH },
	{ "'System':{'Architecture':'ppc64','Target':'pseries-2.12'}", "System.Target", "pseries", MENDED },
	{ "'System':{'Architecture':'ppc64','Target':'pseries-2.12'}", "System.Target", "pseries-10.0", EXACT },
	{ "'System':{'Architecture':'loongarch64','Target':'loongson3-ls7a'}", "System.Target", "virt", BOTH },
	{ "'System':{'CPU':'quantum'}", "System.CPU", "default", BOTH },
	{ "'System':{'Architecture':'ppc','CPU':'cortex-a72'}", "System.CPU", "default", BOTH },
	{ "'System':{'Architecture':'arm','CPU':'cortex-a15'}", "System.CPU", "cortex-a15", BOTH },
	{ "'System':{'Architecture':'riscv64','CPU':'any'}", "System.CPU", "default", BOTH },
	{ "'System':{'Architecture':'aarch64','CPU':'host'}", "System.CPU", "host", BOTH },
	{ "'System':{'Architecture':'x86_64','CPU':'host'}", "System.CPU", "host", MENDED },
	{ "'System':{'Architecture':'x86_64','CPU':'host'}", "System.CPU", "default", EXACT },
	{ "'System':{'Architecture':'ppc','CPU':'G4'}", "System.CPU", "g4", MENDED },
	{ "'System':{'Architecture':'ppc','CPU':'G4'}", "System.CPU", "default", EXACT },
	/* Rule 11: processor. */
	{ "'System':{'CPU':''}", "System.CPU", "default", BOTH },
	{ "'System':{'CPU':'default'}", "System.CPU", "default", BOTH },
	{ "'System':{'CPU':'Penryn'}", "System.CPU", "Penryn", BOTH },
	/* Rule 12: virtualisation, on a Mac with an Apple processor. */
	{ "'System':{'Architecture':'aarch64'}", "QEMU.Hypervisor", "true", BOTH },
	{ "'System':{'Architecture':'x86_64'}", "QEMU.Hypervisor", "false", BOTH },
	{ "'System':{'Architecture':'aarch64','UseHypervisor':false}", "QEMU.Hypervisor", "false", BOTH },
	{ "'System':{'Architecture':'x86_64','UseHypervisor':true}", "QEMU.Hypervisor", "true", BOTH },
	/* Rules 13, 14, 16: what depends on the machine type. */
	{ "'System':{'Target':'virt-6.0'}", "QEMU.UEFIBoot", "true", BOTH },
	{ "'System':{'Target':'virtex-ml507'}", "QEMU.UEFIBoot", "true", BOTH },
	{ "'System':{'Target':'q35'}", "QEMU.UEFIBoot", "false", BOTH },
	{ "'System':{'Target':'virt','BootUefi':false}", "QEMU.UEFIBoot", "false", BOTH },
	{ "'System':{'Target':'pc'}", "QEMU.RNGDevice", "true", BOTH },
	{ "'System':{'Target':'q35'}", "QEMU.RNGDevice", "true", BOTH },
	{ "'System':{'Target':'virt'}", "QEMU.RNGDevice", "true", BOTH },
	{ "'System':{'Target':'isapc'}", "QEMU.RNGDevice", "false", BOTH },
	{ "'System':{'Target':'pc','RngEnabled':false}", "QEMU.RNGDevice", "false", BOTH },
	{ "'System':{'Target':'pc-q35-6.0'}", "QEMU.PS2Controller", "true", BOTH },
	{ "'System':{'Target':'q35'}", "QEMU.PS2Controller", "true", BOTH },
	{ "'System':{'Target':'virt'}", "QEMU.PS2Controller", "false", BOTH },
	{ "'System':{'Target':'q35','ForcePS2Controller':false}", "QEMU.PS2Controller", "false", BOTH },
	/* Rule 15: the clock. */
	{ "'System':{}", "QEMU.RTCLocalTime", "true", BOTH },
	{ "'System':{'RTCUseLocalTime':false}", "QEMU.RTCLocalTime", "false", BOTH },
	/* Rule 17: filters. */
	{ "'Display':{}", "Display[0].UpscalingFilter", "Linear", BOTH },
	{ "'Display':{'DisplayUpscaler':''}", "Display[0].UpscalingFilter", "Linear", BOTH },
	{ "'Display':{'DisplayUpscaler':'nearest'}", "Display[0].UpscalingFilter", "Nearest", BOTH },
	{ "'Display':{'DisplayDownscaler':'nearest'}", "Display[0].DownscalingFilter", "Nearest", BOTH },
	{ "'Display':{'DisplayUpscaler':'cubic'}", "Display[0].UpscalingFilter", "Nearest", BOTH },
	{ "'Display':{'DisplayDownscaler':'Nearest'}", "Display[0].DownscalingFilter", "Linear", BOTH },
	/* Rules 18, 19: the terminal. */
	{ "'Display':{'ConsoleOnly':true}", "Display", "[]", BOTH },
	{ "'Display':{'ConsoleOnly':true}", "Serial[0].Mode", "Terminal", BOTH },
	{ "'Display':{'ConsoleOnly':true}", "Serial[0].Target", "Auto", BOTH },
	{ "'Display':{'ConsoleOnly':true}", "Serial[0].Terminal.Font", "Menlo-Regular", BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleFont':'Menlo'}", "Serial[0].Terminal.Font", "Menlo-Regular", BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleFont':'Courier'}", "Serial[0].Terminal.Font", "Courier", BOTH },
	{ "'Display':{'ConsoleOnly':true}", "Serial[0].Terminal.FontSize", "12", BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleFontSize':0}", "Serial[0].Terminal.FontSize", "12", BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleFontSize':18}", "Serial[0].Terminal.FontSize", "18", BOTH },
	{ "'Display':{'ConsoleOnly':true}", "Serial[0].Terminal.ForegroundColor", "#ffffff", BOTH },
	{ "'Display':{'ConsoleOnly':true}", "Serial[0].Terminal.BackgroundColor", "#000000", BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleTextColor':'#123456'}", "Serial[0].Terminal.ForegroundColor", "#123456",
	  BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleBackgroundColor':'#1'}", "Serial[0].Terminal.BackgroundColor", "#1",
	  BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleTheme':'Default'}", "Serial[0].Terminal.Theme", "-", BOTH },
	{ "'Display':{'ConsoleOnly':true}", "Serial[0].Terminal.CursorBlink", "false", BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleBlink':true}", "Serial[0].Terminal.CursorBlink", "true", BOTH },
	{ "'Display':{'ConsoleOnly':true}", "Serial[0].Terminal.ResizeCommand", "-", BOTH },
	{ "'Display':{'ConsoleOnly':true,'ConsoleResizeCommand':'x'}", "Serial[0].Terminal.ResizeCommand", "x", BOTH },
	/* Rule 20: display cards. */
	{ "'Display':{},'System':{'Target':'pc'}", "Display[0].Hardware", "qxl-vga", BOTH },
	{ "'Display':{},'System':{'Target':'q35'}", "Display[0].Hardware", "qxl-vga", BOTH },
	{ "'Display':{},'System':{'Target':'virt'}", "Display[0].Hardware", "virtio-ramfb", BOTH },
	{ "'Display':{},'System':{'Target':'virt-6.0'}", "Display[0].Hardware", "virtio-ramfb", BOTH },
	{ "'Display':{},'System':{'Target':'virtex-ml507'}", "Display[0].Hardware", "VGA", BOTH },
	{ "'Display':{}", "Display[0].Hardware", "VGA", BOTH },
	{ "'Display':{},'System':{'Architecture':'x86_64'}", "Display[0].Hardware", "qxl-vga", BOTH },
	{ "'Display':{'DisplayCard':'cirrus-vga'}", "Display[0].Hardware", "cirrus-vga", BOTH },
	/* Rule 21: the size of the screen. */
	{ "'Display':{}", "Display[0].DynamicResolution", "false", BOTH },
	{ "'Display':{},'Sharing':{'ClipboardSharing':true}", "Display[0].DynamicResolution", "true", BOTH },
	{ "'Display':{},'Sharing':{'DirectorySharing':true}", "Display[0].DynamicResolution", "true", BOTH },
	{ "'Display':{'DisplayFitScreen':false},'Sharing':{'ClipboardSharing':true}", "Display[0].DynamicResolution",
	  "false", BOTH },
	{ "'Display':{'DisplayFitScreen':true}", "Display[0].DynamicResolution", "true", BOTH },
	{ "'Display':{'DisplayRetina':true}", "Display[0].NativeResolution", "true", BOTH },
	/* Rule 22: USB. */
	{ "'Sharing':{}", "Input.MaximumUsbShare", "3", BOTH },
	{ "'Sharing':{}", "Input.UsbSharing", "true", BOTH },
	{ "'Sharing':{'UsbRedirectMax':0}", "Input.MaximumUsbShare", "0", BOTH },
	{ "'Sharing':{'UsbRedirectMax':0}", "Input.UsbSharing", "true", BOTH },
	{ "'Sharing':{},'System':{'Target':'virt'}", "Input.UsbBusSupport", "3.0", BOTH },
	{ "'Sharing':{},'System':{'Target':'virt-6.0'}", "Input.UsbBusSupport", "3.0", BOTH },
	{ "'Sharing':{},'System':{'Target':'q35'}", "Input.UsbBusSupport", "2.0", BOTH },
	{ "'Sharing':{'Usb3Support':false},'System':{'Target':'virt'}", "Input.UsbBusSupport", "2.0", BOTH },
	/* Plain copies. */
	{ "'Info':{'Notes':'a'}", "Information.Notes", "a", BOTH },
	{ "'System':{'SystemUUID':'aabbccdd-1122-3344-5566-77889900aabb'}", "Information.UUID",
	  "AABBCCDD-1122-3344-5566-77889900AABB", BOTH },
	{ "'System':{'SystemUUID':'nonsense'}", "Information.UUID", "*", BOTH },
	{ "'Info':{'Icon':'linux'}", "Information.Icon", "linux", BOTH },
	{ "'Info':{'Icon':'linux'}", "Information.IconCustom", "false", BOTH },
	{ "'Info':{'Icon':'own.png','IconCustom':true}", "Information.Icon", "own.png", BOTH },
	{ "'Info':{'Icon':'own.png','IconCustom':true}", "Information.IconCustom", "true", BOTH },
	{ "'Info':{'IconCustom':true}", "Information.IconCustom", "false", BOTH },
	{ "'System':{'CPUCount':4}", "System.CPUCount", "4", BOTH },
	{ "'System':{'Memory':2048}", "System.MemorySize", "2048", BOTH },
	{ "'System':{'JITCacheSize':64}", "System.JITCacheSize", "64", BOTH },
	{ "'System':{'ForceMulticore':true}", "System.ForceMulticore", "true", BOTH },
	{ "'System':{'MachineProperties':'vmport=off'}", "QEMU.MachinePropertyOverride", "vmport=off", BOTH },
	{ "'System':{}", "QEMU.MachinePropertyOverride", "-", BOTH },
	{ "'System':{'CPUFlags':['+a','b','-c','-d']}", "System.CPUFlagsAdd", "[\"a\",\"b\"]", BOTH },
	{ "'System':{'CPUFlags':['+a','b','-c','-d']}", "System.CPUFlagsRemove", "[\"c\",\"d\"]", BOTH },
	{ "'Debug':{'DebugLog':true}", "QEMU.DebugLog", "true", BOTH },
	{ "'Sharing':{'DirectorySharing':true}", "Sharing.DirectoryShareMode", "WebDAV", BOTH },
	{ "'Sharing':{'DirectoryReadOnly':true}", "Sharing.DirectoryShareReadOnly", "true", BOTH },
	{ "'Sharing':{'ClipboardSharing':true}", "Sharing.ClipboardSharing", "true", BOTH },
	/* Drives. */
	{ "'Drives':[{'ImageType':'none'}]", "Drive[0].ImageType", "None", BOTH },
	{ "'Drives':[{'ImageType':'disk'}]", "Drive[0].ImageType", "Disk", BOTH },
	{ "'Drives':[{'ImageType':'cd'}]", "Drive[0].ImageType", "CD", BOTH },
	{ "'Drives':[{'ImageType':'bios'}]", "Drive[0].ImageType", "BIOS", BOTH },
	{ "'Drives':[{'ImageType':'kernel'}]", "Drive[0].ImageType", "LinuxKernel", BOTH },
	{ "'Drives':[{'ImageType':'initrd'}]", "Drive[0].ImageType", "LinuxInitrd", BOTH },
	{ "'Drives':[{'ImageType':'dtb'}]", "Drive[0].ImageType", "LinuxDTB", BOTH },
	{ "'Drives':[{'ImageType':'CD'}]", "Drive[0].ImageType", "Disk", BOTH },
	{ "'Drives':[{'ImageType':'linuxkernel'}]", "Drive[0].ImageType", "Disk", BOTH },
	{ "'Drives':[{'InterfaceType':'ide'}]", "Drive[0].Interface", "IDE", BOTH },
	{ "'Drives':[{'InterfaceType':'scsi'}]", "Drive[0].Interface", "SCSI", BOTH },
	{ "'Drives':[{'InterfaceType':'sd'}]", "Drive[0].Interface", "SD", BOTH },
	{ "'Drives':[{'InterfaceType':'mtd'}]", "Drive[0].Interface", "MTD", BOTH },
	{ "'Drives':[{'InterfaceType':'floppy'}]", "Drive[0].Interface", "Floppy", BOTH },
	{ "'Drives':[{'InterfaceType':'pflash'}]", "Drive[0].Interface", "PFlash", BOTH },
	{ "'Drives':[{'InterfaceType':'virtio'}]", "Drive[0].Interface", "VirtIO", BOTH },
	{ "'Drives':[{'InterfaceType':'nvme'}]", "Drive[0].Interface", "NVMe", BOTH },
	{ "'Drives':[{'InterfaceType':'usb'}]", "Drive[0].Interface", "USB", BOTH },
	{ "'Drives':[{'InterfaceType':'none'}]", "Drive[0].Interface", "None", BOTH },
	{ "'Drives':[{'InterfaceType':''}]", "Drive[0].Interface", "None", BOTH },
	{ "'Drives':[{'InterfaceType':'IDE'}]", "Drive[0].Interface", "None", BOTH },
	{ "'Drives':[{'ImageType':'bios','InterfaceType':'ide'}]", "Drive[0].Interface", "None", BOTH },
	{ "'Drives':[{}]", "Drive[0].InterfaceVersion", "0", BOTH },
	{ "'Drives':[{'ImagePath':'a.img'}]", "Drive[0].ImageName", "a.img", BOTH },
	{ "'Drives':[{'ImagePath':'a.img'}]", "Drive[0].ReadOnly", "false", BOTH },
	{ "'Drives':[{'ImagePath':'a.img','Removable':true}]", "Drive[0].ImageName", "-", BOTH },
	{ "'Drives':[{'ImagePath':'a.img','Removable':true}]", "Drive[0].ReadOnly", "true", BOTH },
	{ "'Drives':[{'ImagePath':'efi_vars.fd','DriveName':'e'},{'ImagePath':'a','DriveName':'f'}]", "Drive[0].ImageName",
	  "a", BOTH },
	{ "'Drives':[{'ImagePath':'efi_vars.fd','DriveName':'e'},{'ImagePath':'a','DriveName':'f'}]", "Drive[1]", "-",
	  BOTH },
	{ "'Drives':[{'ImagePath':'efi_vars.fd'},{'ImagePath':'a'}]", "Drive[0].Identifier", "1", BOTH },
	/* Networks. */
	{ "'Networking':{}", "Network", "[]", BOTH },
	{ "'Networking':{'NetworkMode':'none'}", "Network", "[]", BOTH },
	{ "'Networking':{'NetworkMode':'Shared'}", "Network", "[]", BOTH },
	{ "'Networking':{'NetworkMode':'emulated'}", "Network[0].Mode", "Emulated", BOTH },
	{ "'Networking':{'NetworkMode':'shared'}", "Network[0].Mode", "Shared", BOTH },
	{ "'Networking':{'NetworkMode':'host'}", "Network[0].Mode", "Host", BOTH },
	{ "'Networking':{'NetworkMode':'bridged'}", "Network[0].Mode", "Bridged", BOTH },
	{ "'Networking':{'NetworkMode':'host','NetworkCard':'e1000'}", "Network[0].Hardware", "e1000", BOTH },
	{ "'Networking':{'NetworkMode':'host','NetworkCardMAC':'02:00:00:00:00:01'}", "Network[0].MacAddress",
	  "02:00:00:00:00:01", BOTH },
	{ "'Networking':{'NetworkMode':'host','IsolateGuest':true}", "Network[0].IsolateFromHost", "true", BOTH },
	{ "'Networking':{'NetworkMode':'bridged','NetworkBridgeInterface':'en0'}", "Network[0].BridgeInterface", "en0",
	  BOTH },
	{ "'Networking':{'NetworkMode':'shared','NetworkBridgeInterface':'en0'}", "Network[0].BridgeInterface", "-", BOTH },
	{ "'Networking':{'NetworkMode':'shared','IPSubnet':'1'}", "Network[0].VlanGuestAddress", "1", BOTH },
	{ "'Networking':{'NetworkMode':'shared','IPv6Subnet':'2'}", "Network[0].VlanGuestAddressIPv6", "2", BOTH },
	{ "'Networking':{'NetworkMode':'shared','IPHost':'3'}", "Network[0].VlanHostAddress", "3", BOTH },
	{ "'Networking':{'NetworkMode':'shared','IPv6Host':'4'}", "Network[0].VlanHostAddressIPv6", "4", BOTH },
	{ "'Networking':{'NetworkMode':'shared','DHCPStart':'5'}", "Network[0].VlanDhcpStartAddress", "5", BOTH },
	{ "'Networking':{'NetworkMode':'shared','DHCPDomain':'6'}", "Network[0].VlanDhcpDomain", "6", BOTH },
	{ "'Networking':{'NetworkMode':'shared','IPDNS':'7'}", "Network[0].VlanDnsServerAddress", "7", BOTH },
	{ "'Networking':{'NetworkMode':'shared','IPv6DNS':'8'}", "Network[0].VlanDnsServerAddressIPv6", "8", BOTH },
	{ "'Networking':{'NetworkMode':'shared','DNSSearch':'9'}", "Network[0].VlanDnsSearchDomain", "9", BOTH },
	{ "'Networking':{'NetworkMode':'shared'}", "Network[0].VlanDhcpEndAddress", "-", BOTH },
#define FORWARD(entry) "'Networking':{'NetworkMode':'shared','PortForward':[{" entry "}]}"
	{ FORWARD(""), "Network[0].PortForward[0].Protocol", "TCP", BOTH },
	{ FORWARD("'Protocol':'udp'"), "Network[0].PortForward[0].Protocol", "UDP", BOTH },
	{ FORWARD("'Protocol':'tcp'"), "Network[0].PortForward[0].Protocol", "TCP", BOTH },
	{ FORWARD("'Protocol':'UDP'"), "Network[0].PortForward[0].Protocol", "TCP", BOTH },
	{ FORWARD("'HostAddress':'127.0.0.1'"), "Network[0].PortForward[0].HostAddress", "127.0.0.1", BOTH },
	{ FORWARD("'GuestAddress':'10.0.2.15'"), "Network[0].PortForward[0].GuestAddress", "10.0.2.15", BOTH },
	{ FORWARD(""), "Network[0].PortForward[0].HostAddress", "", BOTH },
	{ FORWARD(""), "Network[0].PortForward[0].GuestAddress", "", BOTH },
	{ FORWARD(""), "Network[0].PortForward[0].GuestPort", "0", BOTH },
	{ FORWARD("'HostPort':2222,'GuestPort':22"), "Network[0].PortForward[0].GuestPort", "22", BOTH },
	{ FORWARD("'HostPort':2222,'GuestPort':22"), "Network[0].PortForward[0].HostPort", "2222", MENDED },
	{ FORWARD("'HostPort':2222,'GuestPort':22"), "Network[0].PortForward[0].HostPort", "22", EXACT },
	{ FORWARD("'GuestPort':22"), "Network[0].PortForward[0].HostPort", "22", BOTH },
	/* An untyped reader's booleans and numbers. */
	{ "'Debug':{'DebugLog':1}", "QEMU.DebugLog", "true", BOTH },
	{ "'Debug':{'DebugLog':0}", "QEMU.DebugLog", "false", BOTH },
	{ "'Debug':{'DebugLog':0.5}", "QEMU.DebugLog", "true", BOTH },
	{ "'Debug':{'DebugLog':'YES'}", "QEMU.DebugLog", "true", BOTH },
	{ "'Debug':{'DebugLog':'true'}", "QEMU.DebugLog", "true", BOTH },
	{ "'Debug':{'DebugLog':' +01'}", "QEMU.DebugLog", "true", BOTH },
	{ "'Debug':{'DebugLog':'0'}", "QEMU.DebugLog", "false", BOTH },
	{ "'Debug':{'DebugLog':'no'}", "QEMU.DebugLog", "false", BOTH },
	{ "'Debug':{'DebugLog':''}", "QEMU.DebugLog", "false", BOTH },
	{ "'Debug':{'DebugLog':[]}", "QEMU.DebugLog", "false", BOTH },
	{ "'System':{'Memory':'1024'}", "System.MemorySize", "1024", BOTH },
	{ "'System':{'Memory':1024.9}", "System.MemorySize", "1024", BOTH },
	{ "'System':{'Memory':{}}", "System.MemorySize", "512", BOTH },
	{ "'System':{'CPU':5}", "System.CPU", "default", BOTH },
	{ "'System':'nonsense'", "System.MemorySize", "512", BOTH },
	{ "'Drives':{}", "Drive", "[]", BOTH },
};

static void check_case(const Case *row, bool exact)
{
	g_autofree char *json = g_strdup_printf("{%s}", row->old);
	g_autoptr(UtmConfig) config = load_json(json, exact);
	g_test_message("%s -> %s", json, row->path);
	assert_value(config, row->path, row->expected);
	assert_stable(config);
}

static void test_qemu_rules(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(qemu_cases); i++) {
		if (qemu_cases[i].mode != EXACT)
			check_case(&qemu_cases[i], false);
		if (qemu_cases[i].mode != MENDED)
			check_case(&qemu_cases[i], true);
	}
}

static void test_default_machines(void)
{
	static const char *const targets[][2] = {
		{ "alpha", "clipper" }, { "arm", "virt" },           { "aarch64", "virt" },
		{ "avr", "mega" },      { "hppa", "B160L" },         { "i386", "q35" },
		{ "x86_64", "q35" },    { "m68k", "mcf5208evb" },    { "microblaze", "petalogix-s3adsp1800" },
		{ "mips", "malta" },    { "mipsel", "malta" },       { "microblazeel", "petalogix-s3adsp1800" },
		{ "mips64", "malta" },  { "mips64el", "malta" },     { "or1k", "or1k-sim" },
		{ "ppc", "g3beige" },   { "ppc64", "pseries" },      { "riscv32", "spike" },
		{ "riscv64", "spike" }, { "rx", "gdbsim-r5f562n7" }, { "s390x", "s390-ccw-virtio" },
		{ "sparc", "SS-5" },    { "sparc64", "sun4u" },      { "tricore", "tricore_testboard" },
		{ "xtensa", "sim" },    { "xtensaeb", "sim" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(targets); i++) {
		g_autofree char *json = g_strdup_printf("{'System':{'Architecture':'%s'}}", targets[i][0]);
		g_autoptr(UtmConfig) config = load_json(json, i % 2);
		assert_value(config, "System.Architecture", targets[i][0]);
		assert_value(config, "System.Target", targets[i][1]);
	}
}

/* --- notes --- */

static const UtmConfigNote *find_note(const UtmConfig *config, const char *path)
{
	for (size_t i = 0; i < utm_config_get_note_count(config); i++)
		if (strcmp(utm_config_get_note(config, i)->key_path, path) == 0)
			return utm_config_get_note(config, i);
	return NULL;
}

static const struct {
	const char *old;
	const char *path;
	UtmConfigNoteKind kind; /* 0: no note */
} notes[] = {
	{ "'Unknown':1", "Unknown", UTM_CONFIG_NOTE_DROPPED },
	{ "'System':{'Unknown':1}", "System.Unknown", UTM_CONFIG_NOTE_DROPPED },
	{ "'Drives':[{},{'Unknown':1}]", "Drives[1].Unknown", UTM_CONFIG_NOTE_DROPPED },
	{ FORWARD("'Unknown':1"), "Networking.PortForward[0].Unknown", UTM_CONFIG_NOTE_DROPPED },
	{ "'System':{'Memory':[]}", "System.Memory", UTM_CONFIG_NOTE_DROPPED },
	{ "'System':'nonsense'", "System", UTM_CONFIG_NOTE_DROPPED },
	{ "'System':{'AddArgs':['-s',5]}", "System.AddArgs[1]", UTM_CONFIG_NOTE_DROPPED },
	{ "'System':{'BootDevice':'cd'}", "System.BootDevice", UTM_CONFIG_NOTE_INFO },
	{ "'System':{'BootDevice':''}", "System.BootDevice", 0 },
	{ "'Debug':{'IgnoreAllConfiguration':true}", "Debug.IgnoreAllConfiguration", UTM_CONFIG_NOTE_DROPPED },
	{ "'Debug':{'IgnoreAllConfiguration':false}", "Debug.IgnoreAllConfiguration", 0 },
	{ "'Input':{'InputInvertScroll':true}", "Input.InputInvertScroll", UTM_CONFIG_NOTE_DROPPED },
	{ "'Input':{'TouchscreenMode':true}", "Input.TouchscreenMode", UTM_CONFIG_NOTE_INFO },
	{ "'Input':{'DirectInput':true}", "Input.DirectInput", UTM_CONFIG_NOTE_INFO },
	{ "'Networking':{'NetworkMode':'shared','DHCPHost':'x'}", "Networking.DHCPHost", UTM_CONFIG_NOTE_DROPPED },
	{ "'Display':{'ConsoleOnly':true,'ConsoleTheme':'Solarized'}", "Display.ConsoleTheme", UTM_CONFIG_NOTE_DROPPED },
	{ "'Display':{'ConsoleOnly':true,'ConsoleTheme':'Default'}", "Display.ConsoleTheme", 0 },
	{ "'Sharing':{'DirectoryName':'x'}", "Sharing.DirectoryName", UTM_CONFIG_NOTE_DROPPED },
	{ "'Sharing':{'DirectoryBookmark':{'$data':'YQ=='}}", "Sharing.DirectoryBookmark", UTM_CONFIG_NOTE_DROPPED },
	{ "'Printing':{'x':1}", "Printing", UTM_CONFIG_NOTE_DROPPED },
	{ "'Printing':{}", "Printing", 0 },
	{ "'Display':{'ConsoleFont':'Courier'}", "Display.ConsoleFont", UTM_CONFIG_NOTE_INFO },
	{ "'Display':{'ConsoleOnly':true,'ConsoleFont':'Courier'}", "Display.ConsoleFont", 0 },
	{ "'Display':{'ConsoleOnly':true,'DisplayCard':'VGA'}", "Display.DisplayCard", UTM_CONFIG_NOTE_INFO },
	{ "'Display':{'DisplayCard':'VGA'}", "Display.DisplayCard", 0 },
	{ "'Networking':{'NetworkMode':'none','NetworkCard':'e1000'}", "Networking.NetworkCard", UTM_CONFIG_NOTE_INFO },
	{ "'Networking':{'NetworkMode':'none','PortForward':[{}]}", "Networking.PortForward", UTM_CONFIG_NOTE_INFO },
	{ "'Networking':{'NetworkEnabled':false,'NetworkMode':'shared','IPHost':'x'}", "Networking.IPHost",
	  UTM_CONFIG_NOTE_INFO },
	{ "'Networking':{'NetworkEnabled':true,'IPHost':'x'}", "Networking.IPHost", 0 },
	{ "'Networking':{'NetworkMode':'shared','NetworkBridgeInterface':'en0'}", "Networking.NetworkBridgeInterface",
	  UTM_CONFIG_NOTE_INFO },
	{ "'Sound':{'SoundCard':'sb16'}", "Sound.SoundCard", UTM_CONFIG_NOTE_INFO },
	{ "'Sound':{'SoundEnabled':true,'SoundCard':'pcspk'}", "Sound.SoundCard", UTM_CONFIG_NOTE_INFO },
	{ "'Sound':{'SoundEnabled':true,'SoundCard':'sb16'}", "Sound.SoundCard", 0 },
	{ "'System':{'SystemUUID':'nonsense'}", "System.SystemUUID", UTM_CONFIG_NOTE_CHANGED },
	{ "'System':{'Architecture':'cris'}", "System.Architecture", UTM_CONFIG_NOTE_CHANGED },
	{ "'System':{'Architecture':'cris','Target':'axis-dev88'}", "System.Target", UTM_CONFIG_NOTE_CHANGED },
	{ "'System':{'Architecture':'hppa','Target':'hppa'}", "System.Target", UTM_CONFIG_NOTE_CHANGED },
	{ "'System':{'Architecture':'hppa'}", "System.Target", 0 },
	{ "'System':{'CPU':'quantum'}", "System.CPU", UTM_CONFIG_NOTE_CHANGED },
	{ "'System':{'CPU':'Penryn'}", "System.CPU", 0 },
	{ "'System':{'CPU':''}", "System.CPU", 0 },
	{ "'Drives':[{'DriveName':'1st'}]", "Drives[0].DriveName", UTM_CONFIG_NOTE_CHANGED },
	{ "'Drives':[{'ImageType':'tape'}]", "Drives[0].ImageType", UTM_CONFIG_NOTE_CHANGED },
	{ "'Drives':[{'InterfaceType':'sata'}]", "Drives[0].InterfaceType", UTM_CONFIG_NOTE_CHANGED },
	{ "'Drives':[{'ImageType':'bios','InterfaceType':'ide'}]", "Drives[0].InterfaceType", UTM_CONFIG_NOTE_INFO },
	{ "'Drives':[{'ImagePath':'a','Removable':true}]", "Drives[0].ImagePath", UTM_CONFIG_NOTE_DROPPED },
	{ "'Drives':[{'ImagePath':'efi_vars.fd'}]", "Drives[0]", UTM_CONFIG_NOTE_INFO },
};

static void test_qemu_notes(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(notes); i++) {
		g_autofree char *json = g_strdup_printf("{%s}", notes[i].old);
		g_autoptr(UtmConfig) config = load_json(json, false);
		const UtmConfigNote *note = find_note(config, notes[i].path);
		g_test_message("%s", json);
		g_assert_cmpint(note ? note->kind : 0, ==, notes[i].kind);
		if (!note)
			continue;
		g_assert_cmpuint(note->size, ==, sizeof *note);
		g_assert_cmpuint(strlen(note->reason), >, 5);
		/* A copy has them too, and they outlive the original. */
		g_autoptr(UtmConfig) copy = utm_config_copy(config);
		g_clear_pointer(&config, utm_config_unref);
		g_assert_cmpint(find_note(copy, notes[i].path)->kind, ==, notes[i].kind);
	}
	g_autoptr(UtmConfig) config = load_json("{}", false);
	g_assert_cmpuint(utm_config_get_note_count(config), ==, 0);
	g_assert_null(utm_config_get_note(config, 0));
	g_assert_cmpuint(utm_config_get_note_count(NULL), ==, 0);
	g_assert_null(utm_config_get_note(NULL, 0));
}

/* --- Apple --- */

/* The required keys, each of which a case may replace or leave out. */
static const char *const apple_base[][2] = {
	{ "version", "3" },
	{ "isAppleVirtualization", "true" },
	{ "name", "'Mac'" },
	{ "architecture", "'x86_64'" },
	{ "iconCustom", "false" },
	{ "consoleCursorBlink", "true" },
	{ "cpuCount", "2" },
	{ "memorySize", "2147483648" },
	{ "networkDevices", "[]" },
	{ "diskImages", "[]" },
	{ "isBalloonEnabled", "true" },
	{ "isEntropyEnabled", "true" },
	{ "isSerialEnabled", "false" },
	{ "isConsoleDisplay", "false" },
};

/* `key` NULL: none; `value` NULL: without the key. `more` are further members. */
static char *dup_apple(const char *key, const char *value, const char *more)
{
	GString *json = g_string_new("{");
	for (gsize i = 0; i < G_N_ELEMENTS(apple_base); i++) {
		bool replaced = g_strcmp0(key, apple_base[i][0]) == 0;
		if (!replaced || value)
			g_string_append_printf(json, "%s'%s':%s", json->len > 1 ? "," : "", apple_base[i][0],
			                       replaced ? value : apple_base[i][1]);
	}
	g_string_append_printf(json, "%s%s}", *more ? "," : "", more);
	return g_string_free(json, FALSE);
}

static const struct {
	const char *key, *value; /* replaces one of the base */
	const char *more;
	const char *path, *expected;
	Mode mode;
} apple_cases[] = {
	{ NULL, NULL, "", "Backend", "Apple", BOTH },
	{ NULL, NULL, "", "ConfigurationVersion", "4", BOTH },
	{ "name", "'A b'", "", "Information.Name", "A b", BOTH },
	{ NULL, NULL, "", "Information.UUID", "*", BOTH },
	{ NULL, NULL, "'notes':'n'", "Information.Notes", "n", BOTH },
	{ NULL, NULL, "'icon':'linux'", "Information.Icon", "linux", BOTH },
	{ "iconCustom", "true", "'icon':'own.png'", "Information.Icon", "own.png", MENDED },
	{ "iconCustom", "true", "'icon':'own.png'", "Information.IconCustom", "true", MENDED },
	{ "iconCustom", "true", "'icon':'own.png'", "Information.Icon", "-", EXACT },
	{ "iconCustom", "true", "'icon':'own.png'", "Information.IconCustom", "false", EXACT },
	{ "iconCustom", "true", "", "Information.IconCustom", "false", BOTH },
	{ NULL, NULL, "", "System.Architecture", "x86_64", MENDED },
	{ NULL, NULL, "", "System.Architecture", "aarch64", EXACT },
	{ "cpuCount", "6", "", "System.CPUCount", "6", BOTH },
	{ "memorySize", "4294967301", "", "System.MemorySize", "4096", BOTH },
	{ "memorySize", "1", "", "System.MemorySize", "0", BOTH },
	{ NULL, NULL, "", "System.Boot.OperatingSystem", "None", BOTH },
	{ NULL, NULL, "'bootLoader':{'operatingSystem':'macOS'}", "System.Boot.OperatingSystem", "macOS", BOTH },
#define LINUX                                                                                                          \
	"'bootLoader':{'operatingSystem':'Linux','linuxKernelPath':'/a/vmlinuz','linuxCommandLine':'quiet',"               \
	"'linuxInitialRamdiskPath':'initrd'}"
	{ NULL, NULL, LINUX, "System.Boot.OperatingSystem", "Linux", BOTH },
	{ NULL, NULL, LINUX, "System.Boot.UEFIBoot", "false", BOTH },
	{ NULL, NULL, LINUX, "System.Boot.LinuxKernelPath", "vmlinuz", BOTH },
	{ NULL, NULL, LINUX, "System.Boot.LinuxCommandLine", "quiet", BOTH },
	{ NULL, NULL, LINUX, "System.Boot.LinuxInitialRamdiskPath", "initrd", BOTH },
	{ NULL, NULL, LINUX, "System.Boot.EfiVariableStoragePath", "-", BOTH },
	{ NULL, NULL, LINUX, "System.GenericPlatform", "-", BOTH },
#define MAC                                                                                                            \
	"'bootLoader':{'operatingSystem':'macOS'},'macPlatform':{'hardwareModel':{'$data':'YQ=='},"                        \
	"'machineIdentifier':{'$data':'Yg=='},'auxiliaryStoragePath':'../AuxiliaryStorage'}"
	{ NULL, NULL, MAC, "System.MacPlatform.HardwareModel", "{\"$data\": \"YQ==\"}", BOTH },
	{ NULL, NULL, MAC, "System.MacPlatform.MachineIdentifier", "{\"$data\": \"Yg==\"}", BOTH },
	{ NULL, NULL, MAC, "System.MacPlatform.AuxiliaryStoragePath", "AuxiliaryStorage", BOTH },
	{ NULL, NULL, "", "System.MacPlatform", "-", BOTH },
	{ "isBalloonEnabled", "false", "", "Virtualization.Balloon", "false", BOTH },
	{ "isEntropyEnabled", "false", "", "Virtualization.Entropy", "false", BOTH },
	{ NULL, NULL, "'isAudioEnabled':true", "Virtualization.Audio", "true", BOTH },
	{ NULL, NULL, "", "Virtualization.Audio", "false", BOTH },
	{ NULL, NULL, "'isKeyboardEnabled':true", "Virtualization.Keyboard", "Generic", BOTH },
	{ NULL, NULL, "", "Virtualization.Keyboard", "Disabled", BOTH },
	{ NULL, NULL, "'isPointingEnabled':true", "Virtualization.Pointer", "Mouse", BOTH },
	{ NULL, NULL, "", "Virtualization.Pointer", "Disabled", BOTH },
	{ NULL, NULL, "", "Virtualization.Rosetta", "-", BOTH },
	{ NULL, NULL, "", "Virtualization.ClipboardSharing", "false", BOTH },
#define DISPLAYS "'displays':[{'widthInPixels':1,'heightInPixels':2,'pixelsPerInch':3}]"
	{ NULL, NULL, DISPLAYS, "Display[0].WidthPixels", "1", BOTH },
	{ NULL, NULL, DISPLAYS, "Display[0].HeightPixels", "2", BOTH },
	{ NULL, NULL, DISPLAYS, "Display[0].PixelsPerInch", "3", BOTH },
	{ NULL, NULL, DISPLAYS, "Display[0].DynamicResolution", "true", BOTH },
	{ NULL, NULL, "", "Display", "[]", BOTH },
#define DISK(flags) "[{'sizeMib':1," flags "}]"
	{ "diskImages", DISK("'isReadOnly':true,'isExternal':false,'imagePath':'d.img'"), "", "Drive[0].ImageName", "d.img",
	  BOTH },
	{ "diskImages", DISK("'isReadOnly':true,'isExternal':false,'imagePath':'d.img'"), "", "Drive[0].ReadOnly", "true",
	  BOTH },
	{ "diskImages", DISK("'isReadOnly':true,'isExternal':false,'imagePath':'d.img'"), "", "Drive[0].Nvme", "false",
	  BOTH },
	{ "diskImages", DISK("'isReadOnly':true,'isExternal':false,'imagePath':'d.img'"), "", "Drive[0].Identifier", "*",
	  BOTH },
	{ "diskImages", DISK("'isReadOnly':false,'isExternal':true,'imagePath':5"), "", "Drive[0].ImageName", "-", BOTH },
	{ "diskImages", DISK("'isReadOnly':false,'isExternal':true"), "", "Drive[0].ReadOnly", "false", BOTH },
	{ "diskImages", DISK("'isReadOnly':false,'isExternal':true,'imageBookmark':{'$data':'YQ=='}"), "",
	  "Drive[0].Bookmark", "{\"$data\": \"YQ==\"}", BOTH },
	{ "diskImages", DISK("'isReadOnly':false,'isExternal':false,'imagePath':'a','imageBookmark':5"), "",
	  "Drive[0].Bookmark", "-", BOTH },
#define NETWORK(mode) "[{'networkMode':'" mode "','bridgeInterfaceIdentifier':'en0','macAddress':'aa:bb'}]"
	{ "networkDevices", NETWORK("Shared"), "", "Network[0].Mode", "Shared", BOTH },
	{ "networkDevices", NETWORK("Shared"), "", "Network[0].MacAddress", "aa:bb", BOTH },
	{ "networkDevices", NETWORK("Shared"), "", "Network[0].BridgeInterface", "-", BOTH },
	{ "networkDevices", NETWORK("Bridged"), "", "Network[0].BridgeInterface", "en0", BOTH },
	{ "networkDevices", NETWORK("Bridged"), "", "Network[0].Mode", "Bridged", BOTH },
	{ NULL, NULL, "", "Serial", "[]", BOTH },
	{ "isSerialEnabled", "true", "", "Serial[0].Mode", "Ptty", BOTH },
	{ "isSerialEnabled", "true", "", "Serial[0].Terminal", "-", BOTH },
	{ "isConsoleDisplay", "true", "", "Serial[0].Mode", "Terminal", BOTH },
	{ "isConsoleDisplay", "true", "", "Serial[0].Terminal.ForegroundColor", "-", BOTH },
	{ "isConsoleDisplay", "true", "'consoleTextColor':'#1'", "Serial[0].Terminal.ForegroundColor", "#1", BOTH },
	{ "isConsoleDisplay", "true", "'consoleBackgroundColor':'#2'", "Serial[0].Terminal.BackgroundColor", "#2", BOTH },
	{ "isConsoleDisplay", "true", "", "Serial[0].Terminal.Font", "Menlo", BOTH },
	{ "isConsoleDisplay", "true", "'consoleFont':'Courier'", "Serial[0].Terminal.Font", "Courier", BOTH },
	{ "isConsoleDisplay", "true", "", "Serial[0].Terminal.FontSize", "12", BOTH },
	{ "isConsoleDisplay", "true", "'consoleFontSize':9", "Serial[0].Terminal.FontSize", "9", BOTH },
	{ "isConsoleDisplay", "true", "'consoleResizeCommand':'x'", "Serial[0].Terminal.ResizeCommand", "x", BOTH },
	{ "isConsoleDisplay", "true", "", "Serial[0].Terminal.CursorBlink", "true", BOTH },
	{ "isConsoleDisplay", "true", "'consoleTheme':'Default'", "Serial[0].Terminal.Theme", "-", BOTH },
	{ NULL, NULL, "'sharedDirectories':5", "SharedDirectory", "-", BOTH },
};

static void test_apple_rules(void)
{
	for (gsize i = 0; i < 2 * G_N_ELEMENTS(apple_cases); i++) {
		gsize row = i / 2;
		bool exact = i % 2;
		if (apple_cases[row].mode == (exact ? MENDED : EXACT))
			continue;
		g_autofree char *json = dup_apple(apple_cases[row].key, apple_cases[row].value, apple_cases[row].more);
		g_autoptr(UtmConfig) config = load_json(json, exact);
		int64_t version;
		g_test_message("%s -> %s", json, apple_cases[row].path);
		g_assert_cmpint(utm_config_get_format(config, &version), ==, UTM_CONFIG_FORMAT_LEGACY_APPLE);
		g_assert_cmpint(version, ==, 3);
		g_assert_cmpint(utm_config_get_backend(config), ==, UTM_BACKEND_APPLE);
		assert_value(config, apple_cases[row].path, apple_cases[row].expected);
		assert_stable(config);
	}
}

static void test_apple_versions(void)
{
	static const char *const versions[] = { "1", "2", "3" };
	for (gsize i = 0; i < G_N_ELEMENTS(versions); i++) {
		g_autofree char *json = dup_apple("version", versions[i], "");
		g_autoptr(UtmConfig) config = load_json(json, false);
		int64_t version;
		g_assert_cmpint(utm_config_get_format(config, &version), ==, UTM_CONFIG_FORMAT_LEGACY_APPLE);
		g_assert_cmpint(version, ==, (int64_t)i + 1);
	}
}

static void assert_refused(const char *json, int code, const char *path)
{
	g_autoptr(UtmError) error = NULL;
	UtmConfig *config = NULL;
	g_test_message("%s", json);
	g_assert_cmpint(utm_config_load_json(json, NULL, &config, &error), ==, code);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, path);
	g_assert_null(config);
}

/* Types are strict there, and each required key is missed by its name. */
static void test_apple_errors(void)
{
	static const struct {
		const char *key, *value, *more, *path;
		int code;
	} wrong[] = {
		{ "memorySize", "-1", "", "memorySize", UTM_ERROR_CONFIG_MALFORMED },
		{ "cpuCount", "'2'", "", "cpuCount", UTM_ERROR_CONFIG_MALFORMED },
		{ "isSerialEnabled", "1", "", "isSerialEnabled", UTM_ERROR_CONFIG_MALFORMED },
		{ "networkDevices", "[{'networkMode':'Host','macAddress':''}]", "", "networkDevices[0].networkMode",
		  UTM_ERROR_CONFIG_INVALID_VALUE },
		{ "networkDevices", "[{'networkMode':'Shared'}]", "", "networkDevices[0].macAddress",
		  UTM_ERROR_CONFIG_MALFORMED },
		{ "diskImages", DISK("'isReadOnly':true"), "", "diskImages[0].isExternal", UTM_ERROR_CONFIG_MALFORMED },
		{ "diskImages", DISK("'isReadOnly':true,'isExternal':false,'imagePath':5"), "", "diskImages[0].imagePath",
		  UTM_ERROR_CONFIG_MALFORMED },
		{ "diskImages", DISK("'isReadOnly':true,'isExternal':true,'imageBookmark':5"), "",
		  "diskImages[0].imageBookmark", UTM_ERROR_CONFIG_MALFORMED },
		{ NULL, NULL, "'bootLoader':{}", "bootLoader.operatingSystem", UTM_ERROR_CONFIG_MALFORMED },
		{ NULL, NULL, "'bootLoader':{'operatingSystem':'linux'}", "bootLoader.operatingSystem",
		  UTM_ERROR_CONFIG_INVALID_VALUE },
		{ NULL, NULL, "'macPlatform':{'hardwareModel':'x'}", "macPlatform.hardwareModel", UTM_ERROR_CONFIG_MALFORMED },
		{ NULL, NULL, "'macPlatform':{'hardwareModel':{'$data':''}}", "macPlatform.machineIdentifier",
		  UTM_ERROR_CONFIG_MALFORMED },
		{ NULL, NULL, "'displays':[{'widthInPixels':1}]", "displays[0].heightInPixels", UTM_ERROR_CONFIG_MALFORMED },
		{ NULL, NULL, "'isAudioEnabled':1", "isAudioEnabled", UTM_ERROR_CONFIG_MALFORMED },
	};
	for (gsize i = 2; i < G_N_ELEMENTS(apple_base); i++) {
		g_autofree char *json = dup_apple(apple_base[i][0], NULL, "");
		assert_refused(json, UTM_ERROR_CONFIG_MALFORMED, apple_base[i][0]);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *json = dup_apple(wrong[i].key, wrong[i].value, wrong[i].more);
		assert_refused(json, wrong[i].code, wrong[i].path);
	}
}

static void test_apple_notes(void)
{
	static const struct {
		const char *key, *value, *more, *path;
		UtmConfigNoteKind kind;
		bool exact;
	} cases[] = {
		{ NULL, NULL, "'unknown':1", "unknown", UTM_CONFIG_NOTE_DROPPED, false },
		{ NULL, NULL, "'bootLoader':{'operatingSystem':'Linux','x':1}", "bootLoader.x", UTM_CONFIG_NOTE_DROPPED,
		  false },
		{ NULL, NULL, "'sharedDirectories':[{}]", "sharedDirectories", UTM_CONFIG_NOTE_DROPPED, false },
		{ NULL, NULL, "'sharedDirectories':[]", "sharedDirectories", 0, false },
		{ NULL, NULL, "'consoleFont':'x'", "consoleFont", UTM_CONFIG_NOTE_INFO, false },
		{ "isConsoleDisplay", "true", "'consoleFont':'x'", "consoleFont", 0, false },
		{ NULL, NULL, "'consoleTheme':'x'", "consoleTheme", UTM_CONFIG_NOTE_DROPPED, false },
		{ "memorySize", "1048577", "", "memorySize", UTM_CONFIG_NOTE_CHANGED, false },
		{ "memorySize", "1048576", "", "memorySize", 0, false },
		{ "iconCustom", "true", "'icon':'x'", "icon", UTM_CONFIG_NOTE_DROPPED, true },
		{ "iconCustom", "true", "'icon':'x'", "icon", 0, false },
		{ NULL, NULL, "", "architecture", UTM_CONFIG_NOTE_CHANGED, true },
		{ NULL, NULL, "'bootLoader':{'operatingSystem':'macOS','linuxCommandLine':'x'}", "bootLoader.linuxCommandLine",
		  UTM_CONFIG_NOTE_INFO, false },
		{ "networkDevices", NETWORK("Shared"), "", "networkDevices[0].bridgeInterfaceIdentifier", UTM_CONFIG_NOTE_INFO,
		  false },
		{ "diskImages", DISK("'isReadOnly':true,'isExternal':true,'imageBookmark':{'$data':''}"), "",
		  "diskImages[0].imageBookmark", UTM_CONFIG_NOTE_DROPPED, false },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *json = dup_apple(cases[i].key, cases[i].value, cases[i].more);
		g_autoptr(UtmConfig) config = load_json(json, cases[i].exact);
		const UtmConfigNote *note = find_note(config, cases[i].path);
		g_test_message("%s", json);
		g_assert_cmpint(note ? note->kind : 0, ==, cases[i].kind);
	}
}

/* --- view.plist --- */

#define PLIST(content) "<plist version=\"1.0\"><dict>" content "</dict></plist>"
#define KEY(key, type, text) "<key>" key "</key><" type ">" text "</" type ">"

static const struct {
	const char *view;
	const char *state, *exact; /* NULL: as the other */
} views[] = {
	/* Missing, the toolbar is there; UTM hides it. */
	{ "", "{}",
	  "{\"WindowSettings\":{\"0\":{\"DisplayZoomLocked\":true,\"KeyboardVisible\":false,\"Origin\":[0.0,0.0],"
	  "\"Scale\":1.0,\"ToolbarVisible\":false}}}" },
	{ "<key>ShowToolbar</key><true/>", "{}",
	  "{\"WindowSettings\":{\"0\":{\"DisplayZoomLocked\":true,\"KeyboardVisible\":true,\"Origin\":[0.0,0.0],"
	  "\"Scale\":1.0,\"ToolbarVisible\":true}}}" },
	/* No number of pixels. */
	{ "<key>ShowToolbar</key><true/><key>ShowKeyboard</key><true/>" KEY("DisplayScale", "real", "nan")
	      KEY("DisplayOriginX", "real", "-infinity") KEY("DisplayOriginY", "real", "inf"),
	  "{\"WindowSettings\":{\"0\":{\"DisplayZoomLocked\":true,\"KeyboardVisible\":true,\"Origin\":[0.0,0.0],"
	  "\"Scale\":1.0,\"ToolbarVisible\":true}}}",
	  NULL },
	{ "<key>ShowToolbar</key><true/><key>ShowKeyboard</key><true/>",
	  "{\"WindowSettings\":{\"0\":{\"DisplayZoomLocked\":true,\"KeyboardVisible\":true,\"Origin\":[0.0,0.0],"
	  "\"Scale\":1.0,\"ToolbarVisible\":true}}}",
	  NULL },
	{ "<key>ShowToolbar</key><false/><key>ShowKeyboard</key><true/>" KEY("DisplayScale", "real", "2")
	      KEY("DisplayOriginX", "real", "1.5") KEY("DisplaySizeWidth", "real", "9"),
	  "{\"WindowSettings\":{\"0\":{\"DisplayZoomLocked\":true,\"KeyboardVisible\":true,\"Origin\":[1.5,0.0],"
	  "\"Scale\":2.0,\"ToolbarVisible\":false}}}",
	  "{\"WindowSettings\":{\"0\":{\"DisplayZoomLocked\":true,\"KeyboardVisible\":false,\"Origin\":[1.5,0.0],"
	  "\"Scale\":2.0,\"ToolbarVisible\":false}}}" },
#define HIDDEN                                                                                                         \
	"\"WindowSettings\":{\"0\":{\"DisplayZoomLocked\":true,\"KeyboardVisible\":false,\"Origin\":[0.0,0.0],"            \
	"\"Scale\":1.0,\"ToolbarVisible\":false}}}"
#define NO_TOOLBAR "<key>ShowToolbar</key><false/>"
	{ NO_TOOLBAR "<key>Suspended</key><true/>", "{\"Suspended\":true," HIDDEN, NULL },
	{ NO_TOOLBAR KEY("Suspended", "string", "YES"), "{\"Suspended\":true," HIDDEN, NULL },
	{ NO_TOOLBAR KEY("SharedDirectory", "data", "YQ==") KEY("SharedDirectoryPath", "string", "/a"),
	  "{\"SharedDirectories\":[{\"Bookmark\":{\"$data\":\"YQ==\"},\"Path\":\"/a\",\"ReadOnly\":false}]," HIDDEN, NULL },
	{ NO_TOOLBAR KEY("SharedDirectory", "data", "YQ=="), "{" HIDDEN, NULL },
	{ NO_TOOLBAR KEY("SharedDirectoryPath", "string", "/a"), "{" HIDDEN, NULL },
	{ NO_TOOLBAR KEY("ShortcutBookmark", "data", "YQ==") KEY("ShortcutBookmarkPath", "string", "/a"),
	  "{\"Package\":{\"BookmarkRemote\":{\"$data\":\"YQ==\"}}," HIDDEN, NULL },
	{ NO_TOOLBAR "<key>RemovableDrives</key><dict>" KEY("drive1", "data", "YQ==") KEY("drive2", "data", "YQ==")
	      KEY("odd", "data", "") "</dict><key>RemovableDrivesPath</key><dict>" KEY("drive1", "string", "/a")
	          KEY("odd", "string", "/o") KEY("drive3", "string", "/c") "</dict>",
	  "{\"ExternalDrives\":{\"1\":{\"Bookmark\":{\"$data\":\"YQ==\"},\"Path\":\"/a\",\"ReadOnly\":false},"
	  "\"odd\":{\"Bookmark\":{\"$data\":\"\"},\"Path\":\"/o\",\"ReadOnly\":false}}," HIDDEN,
	  "{\"ExternalDrives\":{\"drive1\":{\"Bookmark\":{\"$data\":\"YQ==\"},\"Path\":\"/a\",\"ReadOnly\":false},"
	  "\"odd\":{\"Bookmark\":{\"$data\":\"\"},\"Path\":\"/o\",\"ReadOnly\":false}}," HIDDEN },
};

static void check_view(const char *plist, const char *expected, bool exact)
{
	UtmConfigLoadOptions options = UTM_CONFIG_LOAD_OPTIONS_INIT;
	UtmValue *state = NULL;
	options.flags = exact ? UTM_CONFIG_LOAD_UTM_EXACT : 0;
	g_assert_cmpint(utm_view_state_load_data(plist, strlen(plist), &options, &state, NULL), ==, 0);
	g_autofree char *json = utm_value_dup_json(state);
	g_assert_cmpstr(json, ==, expected);
	utm_value_free(state);
}

static void test_view_state(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(views); i++) {
		g_autofree char *plist = g_strdup_printf(PLIST("%s"), views[i].view);
		g_test_message("%s", views[i].view);
		check_view(plist, views[i].state, false);
		check_view(plist, views[i].exact ? views[i].exact : views[i].state, true);
	}
	UtmValue *state = NULL;
	g_assert_cmpint(utm_view_state_load_data("x", 1, NULL, &state, NULL), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpint(utm_view_state_load_data(NULL, 0, NULL, &state, NULL), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpint(utm_view_state_load_data("x", 1, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(state);
}

static void check_view_file(const char *path)
{
	char *data = NULL;
	gsize size;
	UtmValue *state = NULL;
	g_assert_true(g_file_get_contents(path, &data, &size, NULL));
	g_assert_cmpint(utm_view_state_load_data(data, size, NULL, &state, NULL), ==, 0);
	const UtmValue *windows = utm_value_get_member(state, "WindowSettings");
	const UtmValue *scale = utm_value_get_member(utm_value_get_member(windows, "0"), "Scale");
	g_assert_cmpfloat(utm_value_get_number(scale), >, 0);
	utm_value_free(state);
	g_free(data);
}

static void test_view_corpus(void)
{
	g_autofree char *own = g_test_build_filename(G_TEST_DIST, "data", "view", "view.plist", NULL);
	const char *directory = g_getenv("UTM_TEST_CORPUS");
	g_autoptr(GDir) names = directory ? g_dir_open(directory, 0, NULL) : NULL;
	check_view_file(own);
	if (!names) {
		g_test_skip("no corpus");
		return;
	}
	int count = 0;
	for (const char *name; (name = g_dir_read_name(names));) {
		g_autofree char *path = g_build_filename(directory, name, NULL);
		if (!g_str_has_prefix(name, "view-"))
			continue;
		g_test_message("%s", name);
		check_view_file(path);
		count++;
	}
	g_assert_cmpint(count, >, 0);
}

/* --- options and names --- */

static void test_options(void)
{
	UtmConfigLoadOptions options = UTM_CONFIG_LOAD_OPTIONS_INIT;
	UtmConfig *config = NULL;
	options.flags = 1u << 31;
	g_assert_cmpint(utm_config_load_json("{}", &options, &config, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.flags = 0;
	options.size = 0;
	g_assert_cmpint(utm_config_load_json("{}", &options, &config, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	options.size = sizeof options;
	options.name = "\xff";
	g_assert_cmpint(utm_config_load_json("{}", &options, &config, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.name = NULL;
	g_assert_cmpint(utm_config_load_json("{}", &options, &config, NULL), ==, 0);
	g_assert_cmpstr(utm_config_get_name(config), ==, "Virtual Machine");
	utm_config_unref(config);
}

static void check_name(const char *directory, const char *package, const char *given, const char *expected)
{
	g_autofree char *path = g_build_filename(directory, package, NULL);
	g_autofree char *file = g_build_filename(path, "config.plist", NULL);
	g_autoptr(UtmConfig) config = NULL;
	UtmConfigLoadOptions options = UTM_CONFIG_LOAD_OPTIONS_INIT;
	options.name = given;
	g_assert_cmpint(g_mkdir_with_parents(path, 0700), ==, 0);
	g_assert_true(g_file_set_contents(file, PLIST(""), -1, NULL));
	g_assert_cmpint(utm_config_load_file(file, &options, &config, NULL), ==, 0);
	g_assert_cmpstr(utm_config_get_name(config), ==, expected);
	g_assert_cmpint(remove(file), ==, 0);
	g_assert_cmpint(remove(path), ==, 0);
}

static void test_package_name(void)
{
	g_autofree char *directory = g_dir_make_tmp("utm-legacy-XXXXXX", NULL);
	check_name(directory, "Mac OS 9.1.utm", NULL, "Mac OS 9.1");
	check_name(directory, "Mac OS 9.1.utm", "Mine", "Mine");
	check_name(directory, "Mac.UTM", NULL, "Virtual Machine"); /* letters count */
	check_name(directory, ".utm", NULL, "Virtual Machine");
	check_name(directory, "\xff.utm", NULL, "\xef\xbf\xbd");
	g_assert_cmpint(remove(directory), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/legacy/qemu-rules", test_qemu_rules);
	g_test_add_func("/legacy/default-machines", test_default_machines);
	g_test_add_func("/legacy/qemu-notes", test_qemu_notes);
	g_test_add_func("/legacy/apple-rules", test_apple_rules);
	g_test_add_func("/legacy/apple-versions", test_apple_versions);
	g_test_add_func("/legacy/apple-errors", test_apple_errors);
	g_test_add_func("/legacy/apple-notes", test_apple_notes);
	g_test_add_func("/legacy/view-state", test_view_state);
	g_test_add_func("/legacy/view-corpus", test_view_corpus);
	g_test_add_func("/legacy/options", test_options);
	g_test_add_func("/legacy/package-name", test_package_name);
	return g_test_run();
}
