/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the generated functions of qga-commands.h are thin over; `number` is a command's place in the schema. */
#pragma once

#include <utm/guest.h>

int utm__guest_call(UtmGuest *guest, unsigned number, const void *args, const UtmQmpCallOptions *options,
                    void *ret_result, UtmError **error);
int utm__guest_call_async(UtmGuest *guest, unsigned number, const void *args, const UtmQmpCallOptions *options,
                          UtmCallFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error);
