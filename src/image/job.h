/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call about an image: one or more runs of qemu-img after another, on the I/O thread. Each kind of call has a file with its
 * steps; what they share is here. A job is the input of its request.
 */
#pragma once

#include "core/request.h"
#include "image/file.h"
#include "image/tool.h"

#include <utm/image.h>

typedef struct UtmImageJob UtmImageJob;

struct UtmImageJob {
	/* What was asked for. */
	void (*begin)(UtmImageJob *job);
	UtmImagePlace place;       /* the image, or where a new one goes */
	UtmImagePlace destination; /* convert only; without a name: in place */
	guint64 size_bytes;
	uint32_t format; /* of what is at `place` */
	UtmImageCreateOptions create;
	UtmImageResizeOptions resize;
	UtmImageConvertOptions convert;
	UtmBundle *held; /* whose lock it has; nullable */

	/* What has come of it; I/O thread. */
	UtmRequest *request;
	UtmImageTool *tool; /* that runs; nullable */
	void (*next)(UtmImageJob *job, bool is_sure, const char *output);
	int stop_code;
	UtmImageChain chain;
	struct stat before; /* of the image */
	UtmImageDraft draft;
	const char *draft_format;
	int victim_fd;      /* a file that gives way, other than the image */
	struct stat former; /* of the file that gives way */
	bool replaces;
	guint64 virtual_size_bytes;
};

/* --- job.c --- */

UtmImageJob *utm__image_job_new(void (*begin)(UtmImageJob *job));
void utm__image_job_free(UtmImageJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmImageJob, utm__image_job_free)

/* A request for it; takes it. One of `bundle` and `context` is what the call is about. */
UtmRequest *utm__image_job_request(UtmImageJob *job_taken, UtmContext *context, UtmBundle *bundle, const char *what,
                                   gint64 timeout_ms, UtmCancel *cancel);
/* The UtmRequestFunc of all of them. */
void utm__image_job_start(UtmRequest *request);

/* Opens the image and what it is based on. */
int utm__image_job_open(UtmImageJob *job, guint chain_flags, UtmError **error);
/* Runs qemu-img on the chain's files and the draft; `next` follows when that has succeeded. Arguments end with NULL. */
void utm__image_job_run(UtmImageJob *job, const char *const *arguments, bool with_progress,
                        void (*next)(UtmImageJob *job, bool is_sure, const char *output));
/* `qemu-img info` on the image. */
void utm__image_job_run_info(UtmImageJob *job, void (*next)(UtmImageJob *job, bool is_sure, const char *output));
/* The image as --image-opts, and the draft's name and options. (transfer full) */
char *utm__image_job_image_options(const UtmImageJob *job);
char *utm__image_job_draft_file(const UtmImageJob *job);
/* Everything is given back before the caller hears of it. Takes both. */
void utm__image_job_finish(UtmImageJob *job, UtmError *error_taken, UtmImageInfo *info_taken);

/* What every option struct has. */
int utm__image_check_format(uint32_t format, const char *name, UtmError **error);
int utm__image_check_size(guint64 size_bytes, UtmError **error);

/* For `_async`: `code` below 0 releases user_data at once, otherwise the request is submitted. Takes it. */
int utm__image_submit(int code, UtmRequest *request_taken, UtmRequestDeliverFunc deliver, UtmAnyFunc fn,
                      void *user_data, UtmFreeFunc free_fn);
/* Calls a UtmImageDoneFunc. */
void utm__image_deliver_done(UtmRequest *request, UtmCallback *callback);

/* --- info.c --- */

/* What `qemu-img info --output=json` says, and what the file itself does. NULL with an error. (transfer full) */
UtmImageInfo *utm__image_info_read(const UtmImageLink *link, const char *json, UtmError **error);

/* --- one file each: the steps of a call, and its request. `place` is taken when they succeed. --- */

int utm__image_create_request(UtmContext *context, UtmImagePlace *place, guint64 size_bytes,
                              const UtmImageCreateOptions *options, UtmRequest **ret_request, UtmError **error);
int utm__image_resize_request(UtmContext *context, UtmBundle *held, UtmImagePlace *place, guint64 size_bytes,
                              const UtmImageResizeOptions *options, UtmRequest **ret_request, UtmError **error);
int utm__image_convert_request(UtmContext *context, UtmBundle *held, UtmImagePlace *place, UtmImagePlace *destination,
                               const UtmImageConvertOptions *options, UtmRequest **ret_request, UtmError **error);
