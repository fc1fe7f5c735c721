/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utmctl: what the library does, from the shell. It is also the library's first customer: it includes nothing of it but
 * <utm/utm.h>.
 *
 * A command is a Command in its own file: name, usage, options and the function behind them. Here they are found, told
 * about and called.
 */
#include "utmctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const Command *const commands[] = {
	&run_command, &argv_command,
	&config_show_command, &config_get_command, &config_set_command, &config_insert_command,
	&config_remove_command,
	&config_new_command,
	&config_check_command,
	&config_migrate_command,
	&config_normalize_command,
	&config_schema_command,
	&hardware_command,
	&host_command,
	&bundle_list_command, &bundle_size_command, &bundle_view_command, &bundle_prune_command, &bundle_clone_command,
	&bundle_rename_command,
	&bundle_reset_uefi_command,
	&drive_list_command, &drive_add_command, &drive_resize_command, &drive_compact_command,
	&image_info_command, &image_create_command, &image_resize_command, &image_convert_command, &image_compact_command,
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const char *const notes =
	"\n"
	"utmctl COMMAND --help tells more of a command.\n"
	"\n"
	"UTMCTL_ACCEL=tcg in the environment emulates, and =kvm insists on KVM; else a small guest tries whether KVM works.\n"
	"\n"
	"A key path is the words of the property list: System.MemorySize, Drive[1].ImageName.\n"
	"\n"
	"Exit codes:\n"
	"  0    done\n"
	"  1    what was asked for failed, or its output could not be written; standard error says what, where and what to do\n"
	"  2    it was not asked properly\n"
	"       config check, migrate and normalize: 1 is also what is wrong, or could not be carried over, 2 what cannot be\n"
	"       read\n"
	"  3    run: the machine ran but ended badly: its kernel panicked, or QEMU crashed or exited on its own\n"
	"  130  interrupted by Ctrl-C, SIGTERM or SIGHUP: run: the guest was stopped; drive, image: nothing was changed\n";

static void print_usage(FILE *out, const Command *command)
{
	fprintf(out, "  utmctl %s %s\n      %s\n", command->name, command->arguments, command->summary);
}

static int print_help(void)
{
	printf("utmctl: opens, runs and edits UTM virtual machines\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		print_usage(stdout, commands[i]);
	printf("  utmctl --help | --version\n%s", notes);
	return EXIT_OK;
}

static int print_command_help(const Command *command)
{
	print_usage(stdout, command);
	if (command->notes)
		printf("\n%s", command->notes);
	return EXIT_OK;
}

/* How many words of the command line are the command's name; 0 when they are another's. */
static int match(const Command *command, char **words)
{
	const char *space = strchr(command->name, ' ');
	size_t length = space ? (size_t)(space - command->name) : strlen(command->name);

	if (strlen(words[0]) != length || memcmp(words[0], command->name, length) != 0)
		return 0;
	if (!space)
		return 1;
	return words[1] && strcmp(words[1], space + 1) == 0 ? 2 : 0;
}

static int call(const Command *command, int argc, char **argv)
{
	int operands = take_options(command, argc, argv);

	if (operands == OPTIONS_HELP)
		return print_command_help(command);
	if (operands == OPTIONS_MISUSED)
		return EXIT_USAGE;
	if (operands < command->least)
		return misused(command, "too few arguments");
	if (operands > command->most)
		return misused(command, "what is %s?", argv[command->most]);
	return command->run(command, argv);
}

/* No command has these words; perhaps several begin with the first one. */
static int call_group(char **words)
{
	size_t length = strlen(words[0]);
	bool help = words[1] && (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0);
	bool known = false;

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strncmp(commands[i]->name, words[0], length) != 0 || commands[i]->name[length] != ' ')
			continue;
		if (!known && !help)
			complain(words[1] ? "no such command: %s %s" : "%s: which of these?", words[0], words[1]);
		known = true;
		print_usage(help ? stdout : stderr, commands[i]);
	}
	if (!known)
		complain("no such command: %s\n        utmctl --help lists them", words[0]);
	return known && help ? EXIT_OK : EXIT_USAGE;
}

static int call_named(int argc, char **argv)
{
	if (argc == 0)
		return complain("no command\n        utmctl --help lists them"), EXIT_USAGE;
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "help") == 0)
		return print_help();
	if (strcmp(argv[0], "--version") == 0)
		return printf("utmctl %s, libutm %s\n", UTM_VERSION_STRING, utm_version_string()), EXIT_OK;
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		int words = match(commands[i], argv);
		if (words > 0)
			return call(commands[i], argc - words, argv + words);
	}
	return call_group(argv);
}

/*
 * Where a standard descriptor is closed, the next socket would get its number, and what is printed would go there. The
 * stand-ins are open the wrong way round, so that output into them fails.
 */
static void occupy_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* Output that did not arrive is a failure, once for all commands. */
static int finish(int status)
{
	bool failed = ferror(stdout);

	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return status;
	complain("standard output: not all could be written%s%s\n        make room, or give it somewhere to go",
	         errno ? ": " : "", errno ? strerror(errno) : "");
	return status == EXIT_OK ? EXIT_OPERATION : status;
}

int main(int argc, char **argv)
{
	occupy_standard_descriptors();
	signal(SIGPIPE, SIG_IGN); /* a reader that goes away must not take the guest with it */
	setvbuf(stdout, NULL, _IOLBF, 0);
	return finish(call_named(argc - 1, argv + 1));
}
