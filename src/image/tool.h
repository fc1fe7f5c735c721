/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-img, run once. It is told what to work on by descriptors alone, "/proc/self/fd/N": no file's name reaches it, so none
 * can be an option, a protocol or a list of QEMU's, and what it opens is what was looked at. I/O thread only.
 */
#pragma once

#include "base/image-chain.h"
#include "core/context-private.h"

typedef struct UtmImageTool UtmImageTool;

typedef struct UtmImageToolFile {
	int fd;
	const char *path;    /* what messages call it; copied */
	const char *options; /* the same file as --image-opts, which messages repeat; copied (nullable) */
} UtmImageToolFile;

typedef struct UtmImageToolSpec {
	const char *const *arguments;  /* behind the program's name; ends with NULL */
	const UtmImageToolFile *files; /* the first is utm__image_tool_file(0) in the arguments, and so on */
	gsize file_count;
	/* How far it is, in parts of 10000; for commands that have -p. (nullable) */
	void (*on_progress)(guint parts, void *data);
	/*
	 * It has ended and is freed after this. `error_taken` NULL: with success, as far as that is known: not when `is_sure`
	 * is false. `output` is what it wrote, without progress.
	 */
	void (*on_end)(UtmError *error_taken, bool is_sure, const char *output, void *data);
	void *data;
} UtmImageToolSpec;

/* The most files that one run takes: two chains and a new file. */
#define UTM_IMAGE_TOOL_FILES_MAX (2 * (UTM_IMAGE_BACKING_MAX + 1) + 1)

/* The program, or NOT_FOUND with the directories that were searched. (transfer full) */
char *utm__image_tool_find(UtmContext *context, UtmError **error);
/* NOT_FOUND, SPAWN_FAILED, IO. Belongs to itself; may be killed as long as on_end was not called. */
UtmImageTool *utm__image_tool_run(UtmContext *context, const UtmImageToolSpec *spec, UtmError **error);
void utm__image_tool_kill(UtmImageTool *tool);

/* What file `index` is called in the arguments. (transfer full) */
char *utm__image_tool_file(gsize index);
/* `--image-opts` of a chain whose first file is number `first_index`: the format of each file, and what it is based on. */
char *utm__image_tool_options(const UtmImageChain *chain, gsize first_index);
