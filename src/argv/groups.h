/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The groups of arguments, and the questions about machine and host that several of them ask. */
#pragma once

#include "argv/builder.h"

/* --- groups, in their order on the command line (argv.c) --- */
void utm__argv_start(UtmArgvBuilder *b);
void utm__argv_spice(UtmArgvBuilder *b);
void utm__argv_network(UtmArgvBuilder *b);
void utm__argv_display(UtmArgvBuilder *b);
void utm__argv_serial(UtmArgvBuilder *b);
void utm__argv_cpu(UtmArgvBuilder *b);
void utm__argv_machine(UtmArgvBuilder *b);
void utm__argv_firmware(UtmArgvBuilder *b);
void utm__argv_sound(UtmArgvBuilder *b);
void utm__argv_usb(UtmArgvBuilder *b);
void utm__argv_pointer(UtmArgvBuilder *b);
void utm__argv_drives(UtmArgvBuilder *b);
void utm__argv_agent(UtmArgvBuilder *b);
void utm__argv_misc(UtmArgvBuilder *b);
void utm__argv_user(UtmArgvBuilder *b);

/* --- what is decided before the first group --- */
void utm__argv_decide_accelerator(UtmArgvBuilder *b); /* machine.c */
void utm__argv_decide_cores(UtmArgvBuilder *b);       /* cpu.c */
void utm__argv_decide_firmware(UtmArgvBuilder *b);    /* firmware.c */
void utm__argv_decide_displays(UtmArgvBuilder *b);    /* display.c */
void utm__argv_decide_sound(UtmArgvBuilder *b);       /* sound.c */
/* user-arguments.c: the pieces of one configured string are appended to `ret_pieces`, newly allocated. */
void utm__split_user_argument(const char *text, GPtrArray *ret_pieces);
void utm__argv_decide_user(UtmArgvBuilder *b);

/* --- the finished command line --- */

/* reasons.c; `value` is NULL for an option that stands alone. NULL when no row fits. */
const char *utm__argv_reason(const char *option, const char *value, const char *key_path);
/* argv.c: whether an argument is the value of the one before it. */
bool utm__argv_is_value(const UtmArgv *argv, size_t index);

/* --- shared questions --- */

/* `-chardev socket` that QEMU listens at: descriptor when there is one, else `name` below the runtime directory. */
void utm__add_control_socket(UtmArgvBuilder *b, const char *id, int fd, const char *name);

/* capability.c: whether the host's QEMU can do something that not every supported release can. */
bool utm__has_capability(UtmArgvBuilder *b, const char *name);
/* Whether it has a device model. Names that no table knows are believed. Always true for UTM's own QEMU. */
bool utm__has_device(UtmArgvBuilder *b, const char *name);
/* Whether only UTM's own QEMU has it. */
bool utm__device_is_foreign(const char *name);

/*
 * The name of a virtio device ("blk" to "virtio-blk-pci") on this machine, NULL when it has no place for one.
 * `mmio` says whether boards that only have plain slots count.
 */
const char *utm__virtio_device(UtmArgvBuilder *b, const char *kind, bool mmio);
bool utm__has_sound_card(const UtmArgvBuilder *b, const char *hardware);
/* Whether the size of its VGA memory can be chosen. */
bool utm__display_has_vga_memory(const char *hardware);
/* True for devices with OpenGL: names that end in -gl or have -gl- in them. */
bool utm__display_is_gl(const char *hardware);
