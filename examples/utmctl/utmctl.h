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
	EXIT_FINDINGS = 1,      /* of commands that look at a configuration: it is not as it should be */
	EXIT_USAGE = 2,         /* it was not asked properly */
	EXIT_UNREADABLE = 2,    /* of the same commands: there is no configuration to look at */
	EXIT_GUEST = 3,         /* run: the machine ran, and ended badly */
	EXIT_INTERRUPTED = 130, /* Ctrl-C; run: the guest was stopped */
};

/* An option of a command. Tables end with an empty one. */
typedef struct Option {
	const char *name;   /* with its dashes */
	const char **value; /* takes the value; NULL for a switch */
	bool *present;      /* (nullable) */
	/* Called for each value instead, for options that may be repeated. Returns false to refuse it. (nullable) */
	bool (*add)(const char *value);
} Option;

typedef struct Command Command;

/* All that is said about a command is said here, once: help, complaints and README.md show it. */
struct Command {
	const char *name;      /* one word or two: "run", "config get" */
	const char *arguments; /* as they are typed */
	const char *summary;   /* one line */
	const char *notes;     /* lines for its own --help (nullable) */
	const Option *options; /* (nullable) */
	int least, most;       /* how many operands */
	/* The operands end with NULL. Returns an exit code. */
	int (*run)(const Command *command, char **operands);
};

extern const Command run_command, argv_command;
extern const Command bundle_list_command, bundle_size_command, bundle_view_command, bundle_prune_command,
	bundle_clone_command, bundle_rename_command;
extern const Command bundle_reset_uefi_command;
extern const Command config_show_command, config_get_command, config_set_command, config_insert_command;
extern const Command config_remove_command;
extern const Command config_new_command;
extern const Command config_check_command;
extern const Command config_schema_command;
extern const Command config_migrate_command;
extern const Command config_normalize_command;
extern const Command hardware_command;
extern const Command host_command;
extern const Command image_info_command, image_create_command, image_resize_command, image_convert_command,
	image_compact_command;
extern const Command drive_list_command, drive_add_command, drive_resize_command, drive_compact_command;

/* --- output.c --- */

/* "utmctl: FILE: KEY: MESSAGE (code-name)" and the remedy below; takes the error. Returns EXIT_OPERATION. `file` stands
 * in where the error names none. (nullable) */
int report(const char *file, UtmError *error_taken);
/* "utmctl: ..." with a newline. Returns EXIT_OPERATION. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "utmctl COMMAND: ..." and below how it is used. Returns EXIT_USAGE. */
int misused(const Command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Each line with the same words before it. */
void print_lines_of(FILE *out, const char *before, const char *text);
/* Text of strangers, for a terminal: control characters become question marks. */
void print_plain(FILE *out, const char *text);
/* #UtmAccelPolicy of UTMCTL_ACCEL in the environment; auto where that says nothing it could be. */
uint32_t chosen_accelerator(void);
/* A JSON string with its quotes; a byte that is no UTF-8 as \udc80 to \udcff. */
void print_json_string(FILE *out, const char *text);

enum { OPTIONS_MISUSED = -1, OPTIONS_HELP = -2 };

/* Takes the command's options out of argv and leaves the operands, with NULL behind them. Returns their number,
 * OPTIONS_MISUSED after having complained, or OPTIONS_HELP for -h or --help. */
int take_options(const Command *command, int argc, char **argv);

/* --- config.c --- */

/* Beside and renamed, so that a crash leaves the old file or the new one. Returns an exit code, after having complained. */
int save_file(const char *path, const char *data, size_t size);
/* The same for a result that does not go back to where it came from: not into a package, and not under a package's name. */
int save_result(const char *path, const char *data, size_t size);

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
