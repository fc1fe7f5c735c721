/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often the line is drawn, and Ctrl-C looked for. */
#define TURN_MS 100

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal }, old;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

bool work_begin(Work *work, const char *file)
{
	UtmError *error = NULL;

	catch_signals();
	*work = (Work){ .file = file, .ctx = utm_context_new(NULL, &error) };
	if (!work->ctx) {
		report(file, error);
		return false;
	}
	work->cancel = utm_cancel_new();
	work->progress = utm_progress_new();
	return true;
}

void work_end(Work *work)
{
	utm_cancel_unref(work->cancel);
	utm_progress_unref(work->progress);
	utm_context_unref(work->ctx);
}

static void end(Work *work, const UtmError *error)
{
	work->ended = true;
	work->error = utm_error_ref((UtmError *)error);
}

void work_done(UtmContext *ctx, const UtmError *error, void *work)
{
	(void)ctx;
	end(work, error);
}

void work_bundle_done(UtmBundle *bundle, const UtmError *error, void *work)
{
	(void)bundle;
	end(work, error);
}

static void draw(Work *work)
{
	uint64_t done, total;

	utm_progress_get(work->progress, &done, &total);
	if (total > 0)
		fprintf(stderr, "\r%5.1f %% of %" PRIu64 " MiB ", (double)done * 100 / (double)total, total >> 20);
}

int work_wait(Work *work, int result, UtmError *error)
{
	bool draws = isatty(STDERR_FILENO);

	if (result < 0)
		return report(work->file, error);
	while (!work->ended) {
		if (interrupted)
			utm_cancel_trigger(work->cancel);
		utm_context_wait(work->ctx, TURN_MS);
		if (draws)
			draw(work);
	}
	if (draws)
		fprintf(stderr, "\r\033[K");
	if (!work->error)
		return EXIT_OK;
	bool cancelled = interrupted && utm_error_get_code(work->error) == UTM_ERROR_CANCELLED;
	report(work->file, work->error);
	return cancelled ? EXIT_INTERRUPTED : EXIT_OPERATION;
}

/* --- operands --- */

bool parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	char *rest;

	errno = 0;
	unsigned long long number = strtoull(text, &rest, 10);
	if (errno || rest == text || *text == '-' || *text == '+' || *text == ' ')
		return false;
	const char *unit = *rest ? strchr(units, *rest) : NULL;
	int shift = unit ? (int)(unit - units + 1) * 10 : 0;
	rest += unit != NULL;
	if (unit && strcmp(rest, "iB") == 0)
		rest += 2;
	if (*rest || number == 0 || number > (unsigned long long)INT64_MAX >> shift)
		return false;
	*ret_bytes = (uint64_t)number << shift;
	return true;
}

bool parse_format(const Command *command, const char *option, const char *text, uint32_t *ret_format)
{
	*ret_format = text ? utm_image_format_from_name(text) : UTM_IMAGE_FORMAT_AUTO;
	if (text && *ret_format == UTM_IMAGE_FORMAT_AUTO) {
		misused(command, "%s is raw, qcow2, vmdk, vdi, vhdx or vpc, not %s", option, text);
		return false;
	}
	return true;
}

bool parse_compression(const Command *command, const char *text, uint32_t *ret_compression)
{
	*ret_compression = UTM_IMAGE_COMPRESSION_NONE;
	if (text && strcmp(text, "zlib") == 0)
		*ret_compression = UTM_IMAGE_COMPRESSION_ZLIB;
	else if (text && strcmp(text, "zstd") == 0)
		*ret_compression = UTM_IMAGE_COMPRESSION_ZSTD;
	else if (text)
		return misused(command, "--compress is zlib or zstd, not %s", text), false;
	return true;
}
