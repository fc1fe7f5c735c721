/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file utm.h
 * What most programs need. The tour of the library starts in context.h; frames are explained in display.h, typed values in
 * struct.h. The commands and events of QEMU are many, and apart: `utm/qmp-commands.h`, `utm/qmp-events.h`.
 */
#ifndef UTM_UTM_H
#define UTM_UTM_H

#include <utm/argv.h>
#include <utm/bundle.h>
#include <utm/config-schema.h>
#include <utm/configuration.h>
#include <utm/console.h>
#include <utm/context.h>
#include <utm/display.h>
#include <utm/error.h>
#include <utm/findings.h>
#include <utm/firmware.h>
#include <utm/guest.h>
#include <utm/hardware.h>
#include <utm/image.h>
#include <utm/macros.h>
#include <utm/qmp.h>
#include <utm/struct.h>
#include <utm/types.h>
#include <utm/value.h>
#include <utm/version.h>
#include <utm/vm.h>

#endif
