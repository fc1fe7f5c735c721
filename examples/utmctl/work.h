/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Long work: a line that tells how far it is, where standard error is a terminal, and Ctrl-C that cancels it. */
#ifndef UTMCTL_WORK_H
#define UTMCTL_WORK_H

#include "utmctl.h"

typedef struct Work {
	const char *file; /* for complaints */
	UtmContext *ctx;
	UtmCancel *cancel;     /* for the options of the call */
	UtmProgress *progress; /* likewise */
	bool ended;
	UtmError *error;
} Work;

/* False after having complained. Either way work_end() follows. */
bool work_begin(Work *work, const char *file);
/* The UtmImageDoneFunc and UtmBundleImageFunc to start the work with, `work` as its data. */
void work_done(UtmContext *ctx, const UtmError *error, void *work);
void work_bundle_done(UtmBundle *bundle, const UtmError *error, void *work);
/* Waits for it. `result` and `error` are what the call that started it returned. Returns an exit code. */
int work_wait(Work *work, int result, UtmError *error);
void work_end(Work *work);

/* "20G", "512MiB", "1048576": bytes. False for what is no size. */
bool parse_size(const char *text, uint64_t *ret_bytes);
/* The format of an option's value; false after having complained. NULL is the default. */
bool parse_format(const Command *command, const char *option, const char *text, uint32_t *ret_format);
bool parse_compression(const Command *command, const char *text, uint32_t *ret_compression);

#endif
