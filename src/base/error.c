/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmError: a counted value that never changes once handed on. */
#include "base/error-private.h"
#include "base/error-table.h"

#include <errno.h>
#include <string.h>

/* Bytes of a key path; of a longer one both ends are kept. */
#define KEY_PATH_MAX 256

struct UtmError {
	gint refs;
	int code;
	int errno_value;
	int exit_status;
	char *message;
	char *key_path;
	char *file;
	char *remedy;
	char *qmp_class;
	char *stderr_tail;
};

static const UtmErrorEntry *find_entry(int code)
{
	for (unsigned i = 0; i < utm__error_table_count; i++)
		if (utm__error_table[i].code == code)
			return &utm__error_table[i];
	return NULL;
}

/* Messages carry foreign text (QEMU's, file names): make it one line of valid UTF-8. */
static char *one_line(char *text_taken)
{
	char *valid = g_utf8_make_valid(text_taken, -1);
	g_free(text_taken);
	for (char *p = valid; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return g_strstrip(valid);
}

static UtmError *error_new_taking(int code, char *message_taken)
{
	UtmError *error = g_new0(UtmError, 1);
	error->refs = 1;
	error->code = code;
	error->exit_status = -1;
	error->message = one_line(message_taken);
	return error;
}

UtmError *utm__error_new(int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *message = g_strdup_vprintf(format, args);
	va_end(args);
	return error_new_taking(code, message);
}

static void replace(char **field, const char *value)
{
	if (!value)
		return;
	g_free(*field);
	*field = g_utf8_make_valid(value, -1);
}

/* Hostile values nest deeply and have long names: what is in the middle tells nobody anything. */
UtmError *utm__error_set_key_path(UtmError *error, const char *key_path)
{
	gsize length = key_path ? strlen(key_path) : 0;
	g_autofree char *cut = NULL;
	if (length > KEY_PATH_MAX)
		cut = g_strdup_printf("%.*s...%s", KEY_PATH_MAX / 2, key_path, key_path + length - KEY_PATH_MAX / 2);
	if (error)
		replace(&error->key_path, cut ? cut : key_path);
	return error;
}

/* An empty name is none: there is nothing to show. */
UtmError *utm__error_set_file(UtmError *error, const char *file)
{
	if (error && file && *file)
		replace(&error->file, file);
	return error;
}

UtmError *utm__error_set_remedy(UtmError *error, const char *remedy)
{
	if (error)
		replace(&error->remedy, remedy);
	return error;
}

UtmError *utm__error_set_qmp_class(UtmError *error, const char *qmp_class)
{
	if (error)
		replace(&error->qmp_class, qmp_class);
	return error;
}

UtmError *utm__error_set_errno(UtmError *error, int errno_value)
{
	if (error)
		error->errno_value = errno_value;
	return error;
}

UtmError *utm__error_set_exit(UtmError *error, int exit_status, const char *stderr_tail)
{
	if (!error)
		return NULL;
	error->exit_status = exit_status;
	replace(&error->stderr_tail, stderr_tail);
	return error;
}

UtmError *utm__error_at_file(UtmError *error_taken, const char *file)
{
	return error_taken && !error_taken->file ? utm__error_set_file(error_taken, file) : error_taken;
}

int utm__fail_take(UtmError **error, UtmError *error_taken)
{
	int code = error_taken->code;
	if (error)
		*error = error_taken;
	else
		utm_error_unref(error_taken);
	return code;
}

int utm__fail(UtmError **error, int code, const char *format, ...)
{
	if (!error)
		return code;
	va_list args;
	va_start(args, format);
	char *message = g_strdup_vprintf(format, args);
	va_end(args);
	*error = error_new_taking(code, message);
	return code;
}

/* Where the remedy of the code would send people to the wrong place. NULL: it fits. */
static const char *errno_remedy(int errno_value)
{
	static const struct {
		int number;
		const char *remedy;
	} remedies[] = {
		{ EACCES, "Check owner and mode of the file, and of the directories above it." },
		{ EPERM, "Check owner and mode of the file, and of the directories above it." },
		{ ENOSPC, "Make room on the file system." },
		{ EDQUOT, "Make room, or have the quota raised." },
		{ EROFS, "The file system can only be read: name a place elsewhere." },
		{ EISDIR, "Name a file, not a directory." },
		{ ENOTDIR, "Something on the way to the file is no directory: check the name in the message." },
		{ ELOOP, "Symbolic links lead round in a circle: check the name in the message." },
		{ ENAMETOOLONG, "Use a shorter name." },
		{ EMFILE, "Close some files, or raise the limit of open ones." },
		{ ENFILE, "Close some files, or raise the limit of open ones." },
		{ ENOMEM, "Give the program more memory." },
		{ ECONNREFUSED, "Nobody listens there any more: start the program that made the socket again." },
		{ ENOTSOCK, "Name a socket." },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(remedies); i++)
		if (remedies[i].number == errno_value)
			return remedies[i].remedy;
	return NULL;
}

int utm__fail_errno(UtmError **error, int errno_value, const char *file, const char *what)
{
	int code = errno_value == ENOENT ? UTM_ERROR_NOT_FOUND : UTM_ERROR_IO;
	UtmError *made = utm__error_new(code, "%s: %s", what, g_strerror(errno_value));
	utm__error_set_errno(made, errno_value);
	utm__error_set_remedy(made, errno_remedy(errno_value));
	return utm__fail_take(error, utm__error_set_file(made, file));
}

UtmError *utm_error_ref(UtmError *error)
{
	if (error)
		g_atomic_int_inc(&error->refs);
	return error;
}

void utm_error_unref(UtmError *error)
{
	if (!error || !g_atomic_int_dec_and_test(&error->refs))
		return;
	g_free(error->message);
	g_free(error->key_path);
	g_free(error->file);
	g_free(error->remedy);
	g_free(error->qmp_class);
	g_free(error->stderr_tail);
	g_free(error);
}

int utm_error_get_code(const UtmError *error)
{
	return error ? error->code : UTM_OK;
}

int utm_error_get_domain(const UtmError *error)
{
	const UtmErrorEntry *entry = error ? find_entry(error->code) : NULL;
	return entry ? entry->domain : 0;
}

const char *utm_error_get_message(const UtmError *error)
{
	return error ? error->message : "";
}

const char *utm_error_get_key_path(const UtmError *error)
{
	return error ? error->key_path : NULL;
}

const char *utm_error_get_file(const UtmError *error)
{
	return error ? error->file : NULL;
}

const char *utm_error_get_remedy(const UtmError *error)
{
	if (!error)
		return "";
	if (error->remedy)
		return error->remedy;
	const UtmErrorEntry *entry = find_entry(error->code);
	return entry ? entry->remedy : "";
}

const char *utm_error_get_qmp_class(const UtmError *error)
{
	return error ? error->qmp_class : NULL;
}

int utm_error_get_errno(const UtmError *error)
{
	return error ? error->errno_value : 0;
}

int utm_error_get_exit_status(const UtmError *error)
{
	return error ? error->exit_status : -1;
}

const char *utm_error_get_stderr_tail(const UtmError *error)
{
	return error ? error->stderr_tail : NULL;
}

char *utm_error_dup_text(const UtmError *error)
{
	if (!error)
		return g_strdup("");
	GString *text = g_string_new(NULL);
	if (error->file)
		g_string_append_printf(text, "%s: ", error->file);
	if (error->key_path)
		g_string_append_printf(text, "%s: ", error->key_path);
	const char *name = utm_error_code_get_name(error->code);
	g_string_append_printf(text, "%s (%s)\n\t%s", error->message, name ? name : "?", utm_error_get_remedy(error));
	return g_string_free(text, FALSE);
}

const char *utm_error_code_get_name(int code)
{
	const UtmErrorEntry *entry = find_entry(code);
	return entry ? entry->name : NULL;
}

const char *utm_error_code_get_meaning(int code)
{
	const UtmErrorEntry *entry = find_entry(code);
	return entry ? entry->meaning : NULL;
}
