/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file macros.h
 * Attributes that help callers and compilers. Every macro expands to nothing where the compiler, or SWIG, does not know it.
 */
#ifndef UTM_MACROS_H
#define UTM_MACROS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define UTM_BEGIN_DECLS extern "C" {
#define UTM_END_DECLS }
#else
#define UTM_BEGIN_DECLS
#define UTM_END_DECLS
#endif

#if defined(__GNUC__) && !defined(SWIG)
/** Marks a symbol of the stable ABI. */
#define UTM_API __attribute__((visibility("default")))
/** The result must be used: ignoring it leaks an object, uses one that was never made, or loses what was to be saved. */
#define UTM_MUST_CHECK __attribute__((warn_unused_result))
/** Still works, but @a message says what to use instead. */
#define UTM_DEPRECATED(message) __attribute__((deprecated(message)))
#else
#define UTM_API
#define UTM_MUST_CHECK
#define UTM_DEPRECATED(message)
#endif

#endif
