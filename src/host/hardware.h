/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of hardware in the making, and where they come from. */
#pragma once

#include "host/host-private.h"

#include <utm/hardware.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmHardware, utm_hardware_unref)

#define UTM_HARDWARE_KINDS (UTM_HARDWARE_PROPERTY + 1)
/* A QEMU has some hundreds of the most numerous. */
#define UTM_HARDWARE_ITEMS_MAX 10000
#define UTM_HARDWARE_TEXT_MAX 512

UtmHardware *utm__hardware_new(const char *architecture, const char *qemu_path_or_null);
void utm__hardware_set_version(UtmHardware *hardware, const char *version);
/* Copies the strings. False when it was one too many. An item with too long a name is passed over. */
bool utm__hardware_add(UtmHardware *hardware, UtmHardwareKind kind, const UtmHardwareItem *item);
/* Brings the lists in order. Nothing is added after that. */
void utm__hardware_sort(UtmHardware *hardware);
/* The same, and adds what no QEMU tells of an architecture. */
void utm__hardware_seal(UtmHardware *hardware);

/* The ledger, as text; made from qapi/hardware.ledger. */
extern const char utm__hardware_snapshot[];
/* NULL when the ledger does not have the architecture. */
UtmHardware *utm__hardware_from_snapshot(const char *architecture);

/* --- hardware-answers.c: what QEMU answers --- */

bool utm__hardware_take_machines(UtmHardware *hardware, const UtmValue *machines, GHashTable *cpu_names);
/* The names of processors by their types; (transfer full). `definitions` is NULL where QEMU does not have the command. */
GHashTable *utm__hardware_name_cpus(const UtmValue *definitions, const UtmValue *types);
bool utm__hardware_take_cpus(UtmHardware *hardware, const UtmValue *definitions, GHashTable *cpu_names);
/* The type of processor that knows all features; NULL: none does. */
const char *utm__hardware_find_flags_type(GHashTable *cpu_names);
bool utm__hardware_take_flags(UtmHardware *hardware, const UtmValue *properties);
bool utm__hardware_take_devices(UtmHardware *hardware, const char *text);
bool utm__hardware_take_properties(UtmHardware *hardware, const UtmValue *properties);

/* --- hardware-probe.c --- */

typedef void (*UtmHardwareDone)(UtmHardware *hardware_or_null_taken, UtmError *error_taken, void *data);
/* I/O thread. Asks the program for its lists; `done` may be called before this returns. */
void utm__hardware_ask(UtmContext *context, const char *architecture, const char *path, UtmHardwareDone done,
                       void *data);
/* The same for the properties of a machine's or device's type, as QOM calls it. */
void utm__hardware_ask_properties(UtmContext *context, const char *architecture, const char *path, bool is_machine,
                                  const char *type, UtmHardwareDone done, void *data);
