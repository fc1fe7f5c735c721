/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/util.h"

#include "base/pool.h"

#include <time.h>
#include <unistd.h>
#include <utm/types.h>
#include <string.h>

void utm_free(void *memory)
{
	utm__text_free(memory);
}

void utm__close_fd(int *fd)
{
	int number = *fd;
	*fd = -1;
	if (number >= 0)
		close(number);
}

void utm__cond_init_monotonic(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

bool utm__leads_out(const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);
	const char *const *list = (const char *const *)parts;
	return !*name || *name == '/' || g_strv_contains(list, "..") || g_strv_contains(list, ".");
}

bool utm__parse_mac_address(const char *text, guint64 *ret_bits)
{
	*ret_bits = 0;
	if (!text || strlen(text) != 17)
		return false;
	for (int i = 0; i < 17; i++) {
		if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
			return false;
		if (i % 3 != 2)
			*ret_bits = *ret_bits << 4 | (guint64)g_ascii_xdigit_value(text[i]);
	}
	return true;
}

bool utm__has_word(const char *words, const char *word)
{
	gsize length = strlen(word);
	for (const char *at = words; length && (at = strstr(at, word)); at += length)
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}
