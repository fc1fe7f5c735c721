/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands of utmctl share. Only the public interface of the library is used here. */
#ifndef UTMCTL_H
#define UTMCTL_H

#include <stdio.h>
#include <utm/utm.h>

/* The exit codes, as `utmctl --help` tells them. */
enum {
	EXIT_OK = 0,
	EXIT_OPERATION = 1,     /* what was asked for failed */
	EXIT_USAGE = 2,         /* it was not asked properly */
	EXIT_GUEST = 3,         /* run: the machine ran, and ended badly */
	EXIT_INTERRUPTED = 130, /* run: Ctrl-C; the guest was stopped */
};

typedef struct Command {
	const char *name;
	const char *arguments;
	const char *summary;
	/* argv[0] is the command's name. Returns an exit code. */
	int (*run)(int argc, char **argv);
} Command;

int command_run(int argc, char **argv);
int command_argv(int argc, char **argv);
int command_config(int argc, char **argv);

/* --- output.c --- */

/* "utmctl: FILE: KEY: MESSAGE (code-name)" and the remedy below; takes the error. Returns EXIT_OPERATION. `file` stands
 * in where the error names none. (nullable) */
int report(const char *file, UtmError *error_taken);
/* "utmctl: ..." with a newline. Returns EXIT_OPERATION. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "utmctl COMMAND: ..." and where to find help. Returns EXIT_USAGE. */
int misused(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes. */
void print_json_string(FILE *out, const char *text);

/* --- options: the table of a command --- */

typedef struct Option {
	const char *name;   /* with its dashes */
	const char **value; /* takes the value; NULL for a switch */
	bool *present;      /* (nullable) */
	/* Called for each value instead, for options that may be repeated. Returns false to refuse it. (nullable) */
	bool (*add)(void *data, const char *value);
	void *data;
} Option;

/* Takes the options out of argv, leaving argv[0] and the operands. Returns their number with argv[0], or -1 after having
 * complained. */
int take_options(int argc, char **argv, const Option *options, size_t count);

/* --- flatten.c --- */

/* Prints JSON as lines `Key.Path = value`, in its order. False for text that is no JSON. */
bool print_flat(FILE *out, const char *json);
/* Prints a JSON value the way `config set` reads it: strings without quotes. */
bool print_value(FILE *out, const char *json);

/* --- serial-lines.c --- */

/* Turns the bytes of a guest's serial port into lines that are safe for a terminal. */
typedef struct SerialLines {
	char text[1024];
	size_t used;
} SerialLines;

void serial_lines_add(SerialLines *lines, const void *bytes, size_t size);
/* Prints what waits for its end, such as a prompt. */
void serial_lines_flush(SerialLines *lines);

#endif
