/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/image-chain.h"

#include "base/error-private.h"
#include "base/image-format.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Of what is below an image; everything else there is refused. */
static const char *const backing_formats[] = { "raw", "qcow2", "vdi", "vhdx", "vpc" };

static int refuse(const char *file, const char *what, UtmError **error)
{
	UtmError *escape = utm__error_new(UTM_ERROR_BUNDLE_PATH_ESCAPE, "the image refers to %s outside the bundle", what);

	utm__error_set_remedy(escape, "Convert it with qemu-img to an image that stands alone.");
	return utm__fail_take(error, utm__error_set_file(escape, file));
}

static bool is_plain_name(const char *name)
{
	return *name && !strpbrk(name, "/:") && strcmp(name, ".") && strcmp(name, "..");
}

/* Not blocking: a FIFO would wait for a writer. */
static int open_regular(int directory, const char *name, int flags, const char *path, int *ret_fd, UtmError **error)
{
	utm_autofd fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0)
		return utm__fail_errno(error, errno, path, "cannot open the image");
	if (!S_ISREG(info.st_mode))
		return utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_IO, "is not a regular file"), path));
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static const char *choose_format(const char *name, const UtmImageHead *head)
{
	const char *named = utm__image_format_from_name(name);

	return named ? named : head->qcow2 ? "qcow2" : "raw";
}

/* The format that an image gives to the one below it; NULL: one that is not taken there. */
static const char *find_backing_format(const char *said, const UtmImageHead *head)
{
	/* QEMU guesses then, when a machine starts, and would find more formats than those that stay where they are. */
	if (!said)
		return head->qcow2 ? "qcow2" : head->look ? NULL : "raw";
	for (gsize i = 0; i < G_N_ELEMENTS(backing_formats); i++)
		if (strcmp(said, backing_formats[i]) == 0)
			return backing_formats[i];
	return NULL;
}

static int check_alone(const UtmImageLink *link, const UtmImageHead *head, UtmError **error)
{
	if (!strcmp(link->format, "qcow2") && head->external_data)
		return refuse(link->path, "a data file", error);
	if (!strcmp(link->format, "vmdk") && head->is_part)
		return refuse(link->path, "other files, perhaps", error);
	return 0;
}

/* The next one down; `above` is the head of the one before it, and becomes that of this one. */
static int add_backing(UtmImageChain *chain, int directory, const char *directory_path, UtmImageHead *above, UtmError **error)
{
	g_auto(UtmImageHead) former = *above;
	const char *above_path = chain->links[chain->count - 1].path;

	*above = (UtmImageHead){ 0 };
	if (chain->count == G_N_ELEMENTS(chain->links) || !is_plain_name(former.backing))
		return refuse(above_path, "a backing file", error);
	UtmImageLink *link = &chain->links[chain->count];
	link->path = g_build_filename(directory_path, former.backing, NULL);
	link->fd = -1;
	chain->count++;
	if (open_regular(directory, former.backing, O_NOFOLLOW, link->path, &link->fd, NULL) < 0)
		return refuse(above_path, "a backing file", error);
	utm__image_head_read(link->fd, above);
	link->format = find_backing_format(former.backing_format, above);
	return link->format ? check_alone(link, above, error) : refuse(above_path, "a backing file of an odd format", error);
}

int utm__image_chain_open(int directory, const char *directory_path, const char *name, const char *format, guint flags,
                          UtmImageChain *ret_chain, UtmError **error)
{
	g_auto(UtmImageHead) head = { 0 };
	UtmImageLink *first = &ret_chain->links[0];

	*ret_chain = (UtmImageChain){ .count = 1 };
	first->path = g_build_filename(directory_path, name, NULL);
	first->fd = -1;
	int result = open_regular(directory, name, flags & UTM_IMAGE_CHAIN_NO_LINK ? O_NOFOLLOW : 0, first->path, &first->fd,
	                          error);
	if (result < 0)
		return result;
	utm__image_head_read(first->fd, &head);
	first->format = format ? format : choose_format(name, &head);
	result = check_alone(first, &head, error);
	while (result == 0 && !(flags & UTM_IMAGE_CHAIN_FIRST_ONLY) && head.backing &&
	       !strcmp(ret_chain->links[ret_chain->count - 1].format, "qcow2"))
		result = add_backing(ret_chain, directory, directory_path, &head, error);
	return result;
}

void utm__image_chain_clear(UtmImageChain *chain)
{
	for (gsize i = 0; i < chain->count; i++) {
		utm__close_fd(&chain->links[i].fd);
		g_free(chain->links[i].path);
	}
	chain->count = 0;
}
