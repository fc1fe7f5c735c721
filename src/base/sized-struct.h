/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks public structs that begin with their size, and brings them to this library's layout. */
#pragma once

#include <utm/error.h>

/*
 * Copies the caller's struct into `ret` of `size` bytes, zero where the caller's is shorter. `options` may be NULL:
 * then `ret` keeps what it holds. `first_size` is the size in the first release that had the struct.
 */
int utm__sized_copy(void *ret, size_t size, size_t first_size, const void *options, const char *name, UtmError **error);
