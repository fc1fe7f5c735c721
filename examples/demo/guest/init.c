/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The whole user space of the demo guest: a static /init that paints a picture, tells the serial port what it does, and
 * answers to keys, an absolute pointer and the power button.
 *
 * It draws through DRM with a dumb buffer and marks what it changed, because the kernel's frame buffer device flushes
 * at its own leisure. Everything it needs of the kernel are the modules that make-demo.sh packs beside it.
 */
#define _GNU_SOURCE
#include "picture.h"

#include <drm.h>
#include <drm_mode.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define MAX_INPUTS 16

typedef struct Screen {
	int fd;
	uint32_t fb_id;
	DemoPicture picture;
} Screen;

typedef struct Input {
	int fd;
	bool absolute;
	struct input_absinfo axis[2];
	bool moved;
} Input;

typedef struct Demo {
	Screen screen;
	Input inputs[MAX_INPUTS]; /* by the number of their device; fd -1: not there */
	unsigned turn;
	char text[64];
	bool cross_shown;
	int cross_x, cross_y;
} Demo;

static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("demo: ");
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
}

static void power_off(void)
{
	say("power off");
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void give_up(const char *what)
{
	say("failed: %s: %m", what);
	power_off();
}

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
}

/* The kernel starts /init without descriptors when the initramfs has no /dev/console. */
static void open_serial(void)
{
	int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);

	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	for (int i = 0; i < 3; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* /modules/list names files in the order in which they need each other. */
static void load_modules(void)
{
	FILE *list = fopen("/modules/list", "r");
	char name[256], path[300];

	while (list && fscanf(list, "%255s", name) == 1) {
		snprintf(path, sizeof path, "/modules/%s", name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			say("module %s: %m", name);
		if (fd >= 0)
			close(fd);
	}
	if (list)
		fclose(list);
}

static int open_when_there(const char *path)
{
	for (int tries = 0; tries < 100; tries++) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		usleep(50000);
	}
	give_up(path);
	return -1;
}

/* The mode that the first connected output prefers. */
static void find_output(int fd, uint32_t *crtc, uint32_t *connector, struct drm_mode_modeinfo *mode)
{
	uint32_t crtcs[16], connectors[16], encoders[16];
	struct drm_mode_card_res resources = {
		.crtc_id_ptr = (uintptr_t)crtcs,
		.connector_id_ptr = (uintptr_t)connectors,
		.encoder_id_ptr = (uintptr_t)encoders,
		.count_crtcs = 16,
		.count_connectors = 16,
		.count_encoders = 16,
	};
	static struct drm_mode_modeinfo modes[256];

	if (ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, &resources) < 0)
		give_up("display resources");
	for (uint32_t i = 0; i < resources.count_connectors && i < 16; i++) {
		struct drm_mode_get_connector first = { .connector_id = connectors[i] };
		if (ioctl(fd, DRM_IOCTL_MODE_GETCONNECTOR, &first) < 0 || first.connection != 1 || !first.count_modes)
			continue;
		struct drm_mode_get_connector second = {
			.connector_id = connectors[i],
			.modes_ptr = (uintptr_t)modes,
			.count_modes = first.count_modes < 256 ? first.count_modes : 256,
		};
		if (ioctl(fd, DRM_IOCTL_MODE_GETCONNECTOR, &second) < 0 || !second.count_modes)
			continue;
		*crtc = crtcs[0];
		*connector = connectors[i];
		*mode = modes[0];
		for (uint32_t m = 0; m < second.count_modes; m++)
			if (modes[m].type & DRM_MODE_TYPE_PREFERRED) {
				*mode = modes[m];
				return;
			}
		return;
	}
	give_up("no connected output");
}

static void flush_screen(Screen *screen)
{
	struct drm_mode_fb_dirty_cmd dirty = { .fb_id = screen->fb_id };

	ioctl(screen->fd, DRM_IOCTL_MODE_DIRTYFB, &dirty);
}

static void open_screen(Screen *screen)
{
	uint32_t crtc_id = 0, connector = 0;
	struct drm_mode_modeinfo mode = { 0 };

	screen->fd = open_when_there("/dev/dri/card0");
	find_output(screen->fd, &crtc_id, &connector, &mode);

	struct drm_mode_create_dumb dumb = { .width = mode.hdisplay, .height = mode.vdisplay, .bpp = 32 };
	if (ioctl(screen->fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb) < 0)
		give_up("buffer");
	struct drm_mode_fb_cmd fb = {
		.width = dumb.width,
		.height = dumb.height,
		.pitch = dumb.pitch,
		.bpp = 32,
		.depth = 24,
		.handle = dumb.handle,
	};
	if (ioctl(screen->fd, DRM_IOCTL_MODE_ADDFB, &fb) < 0)
		give_up("frame buffer");
	struct drm_mode_map_dumb map = { .handle = dumb.handle };
	if (ioctl(screen->fd, DRM_IOCTL_MODE_MAP_DUMB, &map) < 0)
		give_up("map");
	void *pixels = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, screen->fd, map.offset);
	if (pixels == MAP_FAILED)
		give_up("mmap");

	screen->fb_id = fb.fb_id;
	screen->picture = (DemoPicture){ pixels, (int)dumb.width, (int)dumb.height, (int)dumb.pitch / 4 };
	demo_paint(&screen->picture, 0, "PRESS A KEY");

	struct drm_mode_crtc crtc = {
		.crtc_id = crtc_id,
		.fb_id = fb.fb_id,
		.set_connectors_ptr = (uintptr_t)&connector,
		.count_connectors = 1,
		.mode = mode,
		.mode_valid = 1,
	};
	if (ioctl(screen->fd, DRM_IOCTL_MODE_SETCRTC, &crtc) < 0)
		give_up("mode");
	flush_screen(screen);
	say("display %dx%d", screen->picture.width, screen->picture.height);
}

static bool has_bit(int fd, int type, int code)
{
	unsigned long bits[KEY_MAX / (8 * sizeof(unsigned long)) + 1] = { 0 };

	if (ioctl(fd, EVIOCGBIT(type, sizeof bits), bits) < 0)
		return false;
	return bits[code / (8 * sizeof(long))] >> (code % (8 * sizeof(long))) & 1;
}

static bool open_input(Input *input, int number)
{
	char path[64], name[64] = "?";

	snprintf(path, sizeof path, "/dev/input/event%d", number);
	input->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (input->fd < 0)
		return false;
	ioctl(input->fd, EVIOCGNAME(sizeof name), name);
	input->absolute = has_bit(input->fd, EV_ABS, ABS_X) && ioctl(input->fd, EVIOCGABS(ABS_X), &input->axis[0]) == 0 &&
	                  ioctl(input->fd, EVIOCGABS(ABS_Y), &input->axis[1]) == 0;
	say("input %s", name);
	return true;
}

/* Called again whenever a device node appears: USB takes its time. */
static void open_inputs(Demo *demo)
{
	for (int i = 0; i < MAX_INPUTS; i++)
		if (demo->inputs[i].fd < 0)
			open_input(&demo->inputs[i], i);
}

static int watch_inputs(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0 || inotify_add_watch(fd, "/dev/input", IN_CREATE) < 0)
		give_up("watching /dev/input");
	return fd;
}

static void repaint(Demo *demo)
{
	demo_paint(&demo->screen.picture, demo->turn, demo->text);
	demo->cross_shown = false;
	flush_screen(&demo->screen);
	say("painted %u", demo->turn);
}

static void on_key(Demo *demo, int code)
{
	say("key %d", code);
	if (code == KEY_POWER || code == KEY_Q || code == KEY_ESC)
		power_off();
	demo->turn++;
	snprintf(demo->text, sizeof demo->text, "KEY %d", code);
	repaint(demo);
}

static int to_pixel(const struct input_absinfo *axis, int size)
{
	int span = axis->maximum - axis->minimum;

	return span > 0 ? (int)((int64_t)(axis->value - axis->minimum) * (size - 1) / span) : 0;
}

static void move_cross(Demo *demo, Input *input)
{
	DemoPicture *picture = &demo->screen.picture;

	if (demo->cross_shown)
		demo_invert_cross(picture, demo->cross_x, demo->cross_y);
	demo->cross_x = to_pixel(&input->axis[0], picture->width);
	demo->cross_y = to_pixel(&input->axis[1], picture->height);
	demo->cross_shown = true;
	demo_invert_cross(picture, demo->cross_x, demo->cross_y);
	flush_screen(&demo->screen);
	say("pointer %d %d", demo->cross_x, demo->cross_y);
}

static void read_input(Demo *demo, Input *input)
{
	struct input_event event;

	while (read(input->fd, &event, sizeof event) == sizeof event) {
		if (event.type == EV_KEY && event.value == 1)
			on_key(demo, event.code);
		else if (event.type == EV_ABS && input->absolute && event.code <= ABS_Y) {
			input->axis[event.code].value = event.value;
			input->moved = true;
		}
	}
	if (input->moved)
		move_cross(demo, input);
	input->moved = false;
}

static void serve(Demo *demo, int watch)
{
	struct pollfd polls[MAX_INPUTS + 1];
	char drain[4096];

	/* poll() skips the negative descriptors of devices that are not there. */
	for (int i = 0; i < MAX_INPUTS; i++)
		polls[i] = (struct pollfd){ demo->inputs[i].fd, POLLIN, 0 };
	polls[MAX_INPUTS] = (struct pollfd){ watch, POLLIN, 0 };
	if (poll(polls, MAX_INPUTS + 1, -1) < 0)
		give_up("poll");
	for (int i = 0; i < MAX_INPUTS; i++)
		if (polls[i].revents)
			read_input(demo, &demo->inputs[i]);
	if (polls[MAX_INPUTS].revents) {
		while (read(watch, drain, sizeof drain) > 0)
			;
		open_inputs(demo);
	}
}

int main(void)
{
	static Demo demo;

	for (int i = 0; i < MAX_INPUTS; i++)
		demo.inputs[i].fd = -1;
	mount_all();
	open_serial();
	say("up");
	load_modules();
	open_screen(&demo.screen);
	int watch = watch_inputs();
	open_inputs(&demo);
	say("ready");
	for (;;)
		serve(&demo, watch);
}
