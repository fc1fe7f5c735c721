/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file utm.h
 * Everything. The tour of the library starts in context.h; frames are explained in display.h.
 */
#ifndef UTM_UTM_H
#define UTM_UTM_H

#include <utm/argv.h>
#include <utm/bundle.h>
#include <utm/configuration.h>
#include <utm/console.h>
#include <utm/context.h>
#include <utm/display.h>
#include <utm/error.h>
#include <utm/guest.h>
#include <utm/macros.h>
#include <utm/qmp.h>
#include <utm/types.h>
#include <utm/version.h>
#include <utm/vm.h>

#endif
