/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utmctl: what the library does, from the shell. It is also the library's first customer: it includes nothing of it but
 * <utm/utm.h>.
 */
#include "utmctl.h"

#include <string.h>

static const Command commands[] = {
	{ "run", "BUNDLE [--for SECONDS] [--screenshot FILE] [--type-key CODE[@SECONDS]]...",
	  "run a machine until it ends or the time is over; print states, serial port and end reason", command_run },
	{ "argv", "BUNDLE [--host linux|macos] [--host-facts FILE] [--json | --explain]",
	  "print QEMU's command line, one argument per line; nothing is started", command_argv },
	{ "config", "show BUNDLE|PLIST [--json | --plist]", "print the whole configuration", command_config },
	{ "config", "get BUNDLE|PLIST KEY.PATH [--json]", "print one value, or a section", command_config },
	{ "config", "set BUNDLE|PLIST KEY.PATH VALUE", "check and write one value (also: KEY.PATH=VALUE)", command_config },
	{ "config", "remove BUNDLE|PLIST KEY.PATH", "take out an optional value or an array's element", command_config },
};

static const char *const notes =
	"\n"
	"A key path is the words of the property list: System.MemorySize, Drive[1].ImageName.\n"
	"\n"
	"run: --type-key presses and releases a key, by its PC AT set 1 code (0x1e is `a`, 0x100 + code with the\n"
	"     prefix E0), so many seconds after the guest accepts keys (0 unless given). Ctrl-C asks the guest to "
	"power\n"
	"     off, then has QEMU quit, then kills it; a second Ctrl-C kills at once.\n"
	"argv: without --host, the facts of this host are gathered first; with it, those of a typical host are used.\n"
	"\n"
	"Exit codes:\n"
	"  0    done\n"
	"  1    what was asked for failed; two lines on standard error say what, where and what to do\n"
	"  2    it was not asked properly\n"
	"  3    run: the machine ran but ended badly: its kernel panicked, or QEMU crashed or exited on its own\n"
	"  130  run: interrupted by Ctrl-C; the guest was stopped\n";

static int print_help(void)
{
	printf("utmctl: opens, runs and edits UTM virtual machines\n\n");
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		printf("  utmctl %s %s\n      %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
	printf("  utmctl --help | --version\n%s", notes);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!name)
		return complain("no command\n        utmctl --help lists them"), EXIT_USAGE;
	if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0)
		return print_help();
	if (strcmp(name, "--version") == 0)
		return printf("utmctl %s, libutm %s\n", UTM_VERSION_STRING, utm_version_string()), EXIT_OK;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return complain("no such command: %s\n        utmctl --help lists them", name), EXIT_USAGE;
}
