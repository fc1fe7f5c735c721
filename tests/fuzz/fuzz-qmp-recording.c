/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libFuzzer target: what a recording of a session may hold. What is accepted must hold together in both orders. */
#include "qmp/recording.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(const UtmQmpRecording *recording, bool by_command)
{
	guint total = 0;
	for (guint i = 0; i < recording->commands->len; i++) {
		const UtmQmpRecordedCommand *command = utm__qmp_recording_get(recording, i);
		g_assert_true(i == 0 || command->name);
		g_assert_true(command->step_count == 0 || command->first_step == total);
		g_assert_true(!command->answer || command->answer->command == i);
		total += command->step_count;
	}
	g_assert_cmpuint(total, ==, recording->steps->len);
	for (guint i = 0; i < recording->steps->len; i++) {
		const UtmQmpStep *step = &g_array_index(recording->steps, UtmQmpStep, i);
		g_assert_true(step->command == 0 || !by_command || step->segment == step->command);
		g_assert_true(step->command <= step->segment && step->delay_us >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("recording", 0);
	char path[32];
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	for (int by_command = 0; by_command < 2; by_command++) {
		g_autoptr(UtmError) error = NULL;
		g_autoptr(UtmQmpRecording) recording = utm__qmp_recording_load(path, by_command, &error);
		g_assert_true((recording == NULL) == (error != NULL));
		if (recording)
			check_segments(recording, by_command);
	}
	close(fd);
	return 0;
}
