/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stand-in for what the generator makes of qapi/host.schema. */
#pragma once

enum { UTM_HOST_SYSTEM_UNRECOGNIZED = -1, UTM_HOST_SYSTEM_LINUX = 0, UTM_HOST_SYSTEM_MACOS = 1 };
enum { UTM_HOST_ACCELERATION_UNRECOGNIZED = -1, UTM_HOST_ACCELERATION_AUTO, UTM_HOST_ACCELERATION_CONFIG, UTM_HOST_ACCELERATION_KVM, UTM_HOST_ACCELERATION_TCG };
enum { UTM_HOST_SOUND_UNRECOGNIZED = -1, UTM_HOST_SOUND_SPICE, UTM_HOST_SOUND_HOST };
enum { UTM_HOST_NETWORK_MODE_UNRECOGNIZED = -1, UTM_HOST_NETWORK_MODE_SHARED, UTM_HOST_NETWORK_MODE_HOST, UTM_HOST_NETWORK_MODE_BRIDGED };

typedef struct UtmHostFirmware {
	UtmSchemaHeader header;
	char *architecture; char *code; char *vars_template; char *secure_code; char *secure_vars_template;
} UtmHostFirmware;
typedef struct UtmHostNetwork { UtmSchemaHeader header; int32_t mode; char *name; char *bridge; } UtmHostNetwork;
typedef struct UtmHostMedium { UtmSchemaHeader header; char *identifier; char *path; char *format; } UtmHostMedium;
typedef struct UtmHostFacts {
	UtmSchemaHeader header;
	int32_t system;
	char *architecture;
	int64_t physical_cores; int64_t logical_cores; int64_t performance_cores;
	char *cpu_model; char *os_version;
	int32_t acceleration;
	size_t accelerated_count; char **accelerated;
	char *qemu_path; char *qemu_version;
	size_t capabilities_add_count; char **capabilities_add;
	size_t capabilities_remove_count; char **capabilities_remove;
	size_t devices_count; char **devices;
	size_t data_dirs_count; char **data_dirs;
	char *cache_dir; char *roms_dir;
	size_t firmware_count; UtmHostFirmware **firmware;
	char *efi_vars_format;
	bool gl; char *render_node; bool venus;
	int32_t sound; char *host_audio;
	size_t network_count; UtmHostNetwork **network;
	char *bridge_helper;
	bool file_lock;
	bool honor_usb_sharing;
	size_t medium_count; UtmHostMedium **medium;
	char *shared_directory;
} UtmHostFacts;
