/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How utmctl talks: errors in two lines, JSON strings, and the reading of options. */
#include "utmctl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

uint32_t chosen_accelerator(void)
{
	static const char *const names[] = {
		[UTM_ACCEL_POLICY_AUTO] = "auto",
		[UTM_ACCEL_POLICY_CONFIG] = "config",
		[UTM_ACCEL_POLICY_KVM] = "kvm",
		[UTM_ACCEL_POLICY_TCG] = "tcg",
	};
	const char *wanted = getenv("UTMCTL_ACCEL");

	for (uint32_t i = 0; wanted && i < sizeof names / sizeof names[0]; i++)
		if (strcmp(wanted, names[i]) == 0)
			return i;
	return UTM_ACCEL_POLICY_AUTO;
}

void print_lines_of(FILE *out, const char *before, const char *text)
{
	for (size_t length; *text; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		fprintf(out, "%s%.*s\n", before, (int)length, text);
	}
}

int report(const char *file, UtmError *error)
{
	const char *name = utm_error_code_get_name(utm_error_get_code(error));
	const char *stderr_tail = utm_error_get_stderr_tail(error);

	if (utm_error_get_file(error))
		file = utm_error_get_file(error);
	fprintf(stderr, "utmctl: ");
	if (file && *file)
		fprintf(stderr, "%s: ", file);
	if (utm_error_get_key_path(error))
		fprintf(stderr, "%s: ", utm_error_get_key_path(error));
	fprintf(stderr, "%s (%s)\n", utm_error_get_message(error), name ? name : "unknown");
	fprintf(stderr, "        %s\n", utm_error_get_remedy(error));
	if (stderr_tail && !strstr(utm_error_get_message(error), stderr_tail))
		print_lines_of(stderr, "        it said: ", stderr_tail);
	utm_error_unref(error);
	return EXIT_OPERATION;
}

int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "utmctl: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	return EXIT_OPERATION;
}

int misused(const Command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "utmctl %s: ", command->name);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n        usage: utmctl %s %s\n", command->name, command->arguments);
	va_end(args);
	return EXIT_USAGE;
}

/* Those from U+0080 to U+009F are control characters to a terminal as well. */
void print_plain(FILE *out, const char *text)
{
	for (; *text; text++) {
		bool late = (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0 && text[1];
		putc((unsigned char)*text < ' ' || *text == 0x7f || late ? '?' : *text, out);
		text += late;
	}
}

/* How many bytes the UTF-8 character there has; 0: it is none. */
static size_t character_length(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	size_t length = byte[0] < 0x80 ? 1 : byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : byte[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < length; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	bool too_long = (byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xf0 && byte[1] < 0x90);
	bool surrogate = byte[0] == 0xed && byte[1] >= 0xa0, too_large = byte[0] == 0xf4 && byte[1] >= 0x90;
	return too_long || surrogate || too_large ? 0 : length;
}

/* Names of files may be no UTF-8. Such a byte is written as half of a surrogate, as Python reads it back. */
void print_json_string(FILE *out, const char *text)
{
	fputc('"', out);
	while (*text) {
		unsigned char byte = (unsigned char)*text;
		size_t length = character_length(text);

		if (length == 0)
			fprintf(out, "\\udc%02x", byte);
		else if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte < 0x20)
			fprintf(out, "\\u%04x", byte);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
	fputc('"', out);
}

static const Option *find_option(const Command *command, const char *name, size_t length)
{
	for (const Option *option = command->options; option && option->name; option++)
		if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
			return option;
	return NULL;
}

static bool apply_option(const Command *command, const Option *option, const char *value)
{
	if (option->present)
		*option->present = true;
	if (option->value)
		*option->value = value;
	if (option->add && !option->add(value)) {
		misused(command, "%s: not understood: %s", option->name, value);
		return false;
	}
	return true;
}

/* The option at argv[*at], and its value when that is the next word. */
static bool take_option(const Command *command, char **argv, int *at)
{
	const char *word = argv[*at], *equals = strchr(word, '=');
	const Option *option = find_option(command, word, equals ? (size_t)(equals - word) : strlen(word));

	if (!option) {
		misused(command, "no such option: %s", word);
		return false;
	}
	bool wants_value = option->value || option->add;
	const char *value = equals ? equals + 1 : wants_value && argv[*at + 1] ? argv[++*at] : NULL;
	if (wants_value != (value != NULL)) {
		misused(command, wants_value ? "%s needs a value" : "%s takes no value", option->name);
		return false;
	}
	return apply_option(command, option, value);
}

int take_options(const Command *command, int argc, char **argv)
{
	int operands = 0;
	bool only_operands = false;

	for (int i = 0; i < argc; i++) {
		if (only_operands)
			argv[operands++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			only_operands = true;
		else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
			return OPTIONS_HELP;
		else if (strncmp(argv[i], "--", 2) != 0)
			argv[operands++] = argv[i];
		else if (!take_option(command, argv, &i))
			return OPTIONS_MISUSED;
	}
	argv[operands] = NULL;
	return operands;
}
