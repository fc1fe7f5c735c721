/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How utmctl talks: errors in two lines, JSON strings, and the reading of options. */
#include "utmctl.h"

#include <stdarg.h>
#include <string.h>

int report(const char *file, UtmError *error)
{
	const char *name = utm_error_code_get_name(utm_error_get_code(error));
	const char *stderr_tail = utm_error_get_stderr_tail(error);

	if (utm_error_get_file(error))
		file = utm_error_get_file(error);
	fprintf(stderr, "utmctl: ");
	if (file)
		fprintf(stderr, "%s: ", file);
	if (utm_error_get_key_path(error))
		fprintf(stderr, "%s: ", utm_error_get_key_path(error));
	fprintf(stderr, "%s (%s)\n", utm_error_get_message(error), name ? name : "unknown");
	fprintf(stderr, "        %s\n", utm_error_get_remedy(error));
	if (stderr_tail && !strstr(utm_error_get_message(error), stderr_tail))
		fprintf(stderr, "        it said: %s%s", stderr_tail, strchr(stderr_tail, '\n') ? "" : "\n");
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

int misused(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "utmctl %s: ", command);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n        utmctl --help tells how it goes\n");
	va_end(args);
	return EXIT_USAGE;
}

void print_json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte < 0x20)
			fprintf(out, "\\u%04x", byte);
		else
			fputc(byte, out);
	}
	fputc('"', out);
}

static const Option *find_option(const char *name, size_t length, const Option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
			return &options[i];
	return NULL;
}

static bool apply_option(const char *command, const Option *option, const char *value)
{
	if (option->present)
		*option->present = true;
	if (option->value)
		*option->value = value;
	if (option->add && !option->add(option->data, value)) {
		misused(command, "%s: not understood: %s", option->name, value);
		return false;
	}
	return true;
}

int take_options(int argc, char **argv, const Option *options, size_t count)
{
	int operands = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			while (++i < argc)
				argv[operands++] = argv[i];
			break;
		}
		if (strncmp(argv[i], "--", 2) != 0) {
			argv[operands++] = argv[i];
			continue;
		}
		const char *equals = strchr(argv[i], '=');
		const Option *option =
			find_option(argv[i], equals ? (size_t)(equals - argv[i]) : strlen(argv[i]), options, count);
		if (!option) {
			misused(argv[0], "no such option: %s", argv[i]);
			return -1;
		}
		bool wants_value = option->value || option->add;
		const char *value = equals ? equals + 1 : wants_value && i + 1 < argc ? argv[++i] : NULL;
		if (wants_value != (value != NULL)) {
			misused(argv[0], wants_value ? "%s needs a value" : "%s takes no value", option->name);
			return -1;
		}
		if (!apply_option(argv[0], option, value))
			return -1;
	}
	return operands;
}
