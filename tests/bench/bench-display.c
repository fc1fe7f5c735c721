/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pictures through the library against the least that spice-client-glib needs for them.
 *
 *     bench-display [ROUNDS [SECONDS]]
 *
 * For each load a fresh QEMU paints, and in turn three clients look: a minimal SPICE program, the same with a copy of
 * what changed into memory of its own (which the library makes too), and the library with its engine process. The guest
 * sends one byte per painted picture; the time from there until a client sees the picture's last pixels is the latency.
 * Prints name, median and unit, then ratios. Judges nothing.
 */
#include <spice-client.h>
#include <utm/utm.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 1920
#define HEIGHT 1080
#define WARM_UP_S 1.2
#define STAMPS 65536
/* QEMU refreshes every 30 ms; what comes closer together is one refresh. */
#define REFRESH_GAP_NS 8000000
#define ROUNDS_MAX 32
#define G(field) offsetof(struct result, field)

/* What one run of one client found. */
struct result {
	double delivered, mpixel, callbacks_per_frame, refreshes_per_frame, torn;
	double cpu_ms, helper_cpu_ms, latency_p50, latency_p99;
};

/* Shared between this process, which hears the guest, and the client it forks. */
static struct shared {
	int64_t stamps[STAMPS]; /* when picture n was painted */
	unsigned painted;
	struct result result;
} *shared;

static struct counters {
	double seconds;
	int64_t begin_ns;
	double begin_cpu, begin_helper_cpu;
	bool counting;
	unsigned last, frames, torn, callbacks, refreshes;
	int64_t last_ns;
	double pixels;
	int64_t latencies[STAMPS];
	int latency_count;
} counters;

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double clock_seconds(clockid_t clock)
{
	struct timespec used = { 0 };
	clock_gettime(clock, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double process_seconds(pid_t pid)
{
	clockid_t clock;
	return pid > 0 && clock_getcpuclockid(pid, &clock) == 0 ? clock_seconds(clock) : 0;
}

/* ---------------------------------------------------------------- counting */

static void begin(pid_t helper)
{
	counters.counting = true;
	counters.begin_ns = now_ns();
	counters.begin_cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	counters.begin_helper_cpu = process_seconds(helper);
}

static bool over(void)
{
	return counters.counting && now_ns() - counters.begin_ns > counters.seconds * 1e9;
}

/* The client was called; these are the picture's marks now. */
static void seen(unsigned first, unsigned last, double pixels)
{
	int64_t now = now_ns();
	if (!counters.counting)
		return;
	counters.callbacks++;
	counters.refreshes += now - counters.last_ns > REFRESH_GAP_NS;
	counters.last_ns = now;
	counters.pixels += pixels;
	if (last == counters.last)
		return;
	counters.last = last;
	counters.frames++;
	counters.torn += first != last;
	unsigned painted = __atomic_load_n(&shared->painted, __ATOMIC_ACQUIRE);
	if (last <= painted && painted - last < STAMPS && counters.latency_count < STAMPS)
		counters.latencies[counters.latency_count++] = now - shared->stamps[last % STAMPS];
}

static int compare_int64(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

static double latency_at(double part)
{
	int index = (int)(counters.latency_count * part);
	return counters.latency_count ? (double)counters.latencies[index] / 1e6 : 0;
}

static void end(pid_t helper)
{
	double elapsed = (double)(now_ns() - counters.begin_ns) / 1e9, frames = counters.frames ? counters.frames : 1;
	double helper_cpu = process_seconds(helper) - counters.begin_helper_cpu;
	double cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - counters.begin_cpu + helper_cpu;
	qsort(counters.latencies, (size_t)counters.latency_count, sizeof counters.latencies[0], compare_int64);
	shared->result = (struct result){
		.delivered = counters.frames / elapsed,
		.mpixel = counters.pixels / elapsed / 1e6,
		.callbacks_per_frame = counters.callbacks / frames,
		.refreshes_per_frame = counters.refreshes / frames,
		.torn = 100.0 * counters.torn / frames,
		.cpu_ms = cpu / frames * 1e3,
		.helper_cpu_ms = helper_cpu / frames * 1e3,
		.latency_p50 = latency_at(.5),
		.latency_p99 = latency_at(.99),
	};
}

/* ---------------------------------------------------------------- the minimal SPICE program */

static struct {
	GMainLoop *loop;
	const guint8 *pixels;
	int stride;
	guint8 *copy;
} minimal;

static void on_primary(SpiceChannel *channel, int format, int width, int height, int stride, int shmid, void *pixels,
                       void *data)
{
	minimal.pixels = width == WIDTH && height == HEIGHT ? pixels : NULL;
	minimal.stride = stride;
}

static void on_primary_gone(SpiceChannel *channel, void *data)
{
	minimal.pixels = NULL;
}

static unsigned mark_at(const guint8 *pixels, int stride, int x, int y)
{
	return *(const guint32 *)(pixels + (gsize)y * (gsize)stride + (gsize)x * 4) & 0xffffff;
}

static void on_invalidate(SpiceChannel *channel, int x, int y, int width, int height, void *data)
{
	if (!minimal.pixels)
		return;
	for (int row = y; minimal.copy && row < y + height; row++)
		memcpy(minimal.copy + ((gsize)row * WIDTH + (gsize)x) * 4,
		       minimal.pixels + (gsize)row * (gsize)minimal.stride + (gsize)x * 4, (gsize)width * 4);
	seen(mark_at(minimal.pixels, minimal.stride, 0, 0),
	     mark_at(minimal.pixels, minimal.stride, WIDTH - 1, HEIGHT - 1), (double)width * height);
	if (over())
		g_main_loop_quit(minimal.loop);
}

static void on_channel(SpiceSession *session, SpiceChannel *channel, void *data)
{
	if (!SPICE_IS_DISPLAY_CHANNEL(channel))
		return;
	g_signal_connect(channel, "display-primary-create", G_CALLBACK(on_primary), NULL);
	g_signal_connect(channel, "display-primary-destroy", G_CALLBACK(on_primary_gone), NULL);
	g_signal_connect(channel, "display-invalidate", G_CALLBACK(on_invalidate), NULL);
	spice_channel_connect(channel);
}

static gboolean on_warm(void *data)
{
	begin(0);
	return G_SOURCE_REMOVE;
}

static void watch_minimal(const char *path, bool copy)
{
	SpiceSession *session = spice_session_new();
	minimal.loop = g_main_loop_new(NULL, FALSE);
	minimal.copy = copy ? g_malloc0((gsize)WIDTH * HEIGHT * 4) : NULL;
	g_object_set(session, "unix-path", path, NULL);
	g_signal_connect(session, "channel-new", G_CALLBACK(on_channel), NULL);
	spice_session_connect(session);
	g_timeout_add((guint)(WARM_UP_S * 1000), on_warm, NULL);
	g_main_loop_run(minimal.loop);
	end(0);
}

static void watch_plain(const char *path)
{
	watch_minimal(path, false);
}

static void watch_copy(const char *path)
{
	watch_minimal(path, true);
}

/* ---------------------------------------------------------------- the library */

static void on_frame(UtmDisplay *display, void *data)
{
	UtmFrame *frame = utm_display_acquire_frame(display);
	if (!frame)
		return;
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	const guint8 *pixels = utm_frame_get_data(frame);
	double changed = 0;
	for (uint32_t i = 0; i < info->damage_count; i++)
		changed += (double)info->damage[i].width * info->damage[i].height;
	if (info->width == WIDTH && info->height == HEIGHT)
		seen(mark_at(pixels, (int)info->stride_bytes, 0, 0),
		     mark_at(pixels, (int)info->stride_bytes, WIDTH - 1, HEIGHT - 1), changed);
	utm_frame_unref(frame);
}

static void watch_library(const char *path)
{
	UtmContext *ctx = utm_context_new(NULL, NULL);
	UtmConsole *console = NULL;
	UtmError *error = NULL;
	if (utm_console_connect_path(ctx, path, NULL, &console, &error) < 0) {
		fprintf(stderr, "%s\n", utm_error_get_message(error));
		_exit(1);
	}
	pid_t engine = (pid_t)utm_console_get_engine_pid(console);
	utm_display_set_frame_handler(utm_console_get_display(console, 0), on_frame, NULL, NULL);
	for (int64_t warm = now_ns() + (int64_t)(WARM_UP_S * 1e9); now_ns() < warm;)
		utm_context_wait(ctx, 50);
	begin(engine);
	while (!over())
		utm_context_wait(ctx, 100);
	end(engine);
	utm_console_unref(console);
	utm_context_unref(ctx);
}

/* ---------------------------------------------------------------- the guest */

static pid_t start_guest(const char *path, const char *options, int *ret_bytes)
{
	int pair[2];
	char spice[128], append[128], chardev[64];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	snprintf(spice, sizeof spice, "unix=on,addr=%s,disable-ticketing=on,image-compression=off", path);
	snprintf(append, sizeof append, "w=%d h=%d %s", WIDTH, HEIGHT, options);
	snprintf(chardev, sizeof chardev, "socket,id=bytes,fd=%d", pair[1]);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		execlp("qemu-system-x86_64", "qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "64", "-nodefaults",
		       "-device", "VGA,vgamem_mb=32", "-kernel", getenv("UTM_TEST_PAINTER"), "-append", append, "-spice", spice,
		       "-chardev", chardev, "-device", "isa-debugcon,chardev=bytes,iobase=0xe9", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	*ret_bytes = pair[0];
	return pid;
}

/* Stamps what the guest has painted. False when it is gone. */
static bool stamp(int bytes)
{
	unsigned char buffer[64];
	ssize_t count = read(bytes, buffer, sizeof buffer);
	int64_t now = now_ns();
	for (ssize_t i = 0; i < count; i++) {
		unsigned picture = shared->painted + 1;
		shared->stamps[picture % STAMPS] = now;
		__atomic_store_n(&shared->painted, picture, __ATOMIC_RELEASE);
	}
	return count > 0 || (count < 0 && errno == EAGAIN);
}

/* Lets a client look at a guest of its own. */
static bool run(void (*watch)(const char *path), const char *options, double seconds, struct result *ret)
{
	char path[64];
	int bytes = -1, status = 0;
	snprintf(path, sizeof path, "/tmp/bench-display-%d", getpid());
	memset(shared, 0, sizeof *shared);
	pid_t guest = start_guest(path, options, &bytes);
	while (guest > 0 && shared->painted < 3 && stamp(bytes))
		;
	pid_t client = fork();
	if (client == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		counters.seconds = seconds;
		watch(path);
		_exit(0);
	}
	struct pollfd readable = { .fd = bytes, .events = POLLIN };
	while (waitpid(client, &status, WNOHANG) == 0)
		if (poll(&readable, 1, 50) > 0)
			stamp(bytes);
	kill(guest, SIGKILL);
	waitpid(guest, NULL, 0);
	close(bytes);
	unlink(path);
	*ret = shared->result;
	return status == 0;
}

/* ---------------------------------------------------------------- the report */

static const struct load {
	const char *name, *options;
} loads[] = {
	{ "flip30", "mode=grad flip=1 fps=30" }, /* full frames, each shown at once */
	{ "grad30", "mode=grad fps=30" },        /* full frames, painted while the screen is refreshed */
	{ "box60", "mode=box fps=60" },
};

static const struct client {
	const char *name;
	void (*watch)(const char *path);
} clients[] = { { "spice", watch_plain }, { "spice_copy", watch_copy }, { "libutm", watch_library } };

static const struct figure {
	const char *name, *unit;
	size_t offset;
	bool ratio;
} figures[] = {
	{ "delivered", "frame/s", G(delivered), true },
	{ "mpixel", "MPixel/s", G(mpixel), false },
	{ "callbacks", "1/frame", G(callbacks_per_frame), false },
	{ "refreshes", "1/frame", G(refreshes_per_frame), false },
	{ "torn", "%", G(torn), false },
	{ "cpu", "ms/frame", G(cpu_ms), true },
	{ "helper_cpu", "ms/frame", G(helper_cpu_ms), false },
	{ "latency.p50", "ms", G(latency_p50), true },
	{ "latency.p99", "ms", G(latency_p99), true },
};

#define CLIENTS (sizeof clients / sizeof clients[0])
#define FIGURES (sizeof figures / sizeof figures[0])

static int compare_double(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static double median(const struct result *results, int count, size_t offset)
{
	double values[ROUNDS_MAX];
	for (int i = 0; i < count; i++)
		values[i] = *(const double *)((const char *)&results[i] + offset);
	qsort(values, (size_t)count, sizeof values[0], compare_double);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void report(const struct load *load, struct result results[][ROUNDS_MAX], int rounds)
{
	for (size_t f = 0; f < FIGURES; f++) {
		double values[CLIENTS];
		for (size_t c = 0; c < CLIENTS; c++) {
			values[c] = median(results[c], rounds, figures[f].offset);
			printf("display.%s.%s.%s\t%.4g\t%s\n", load->name, clients[c].name, figures[f].name, values[c],
			       figures[f].unit);
		}
		for (size_t c = 0; figures[f].ratio && c + 1 < CLIENTS; c++)
			printf("display.%s.ratio.%s.libutm_to_%s\t%.3f\t(%+.2f %s)\n", load->name, figures[f].name, clients[c].name,
			       values[CLIENTS - 1] / (values[c] ? values[c] : 1), values[CLIENTS - 1] - values[c], figures[f].unit);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	static struct result results[CLIENTS][ROUNDS_MAX];
	if (!getenv("UTM_TEST_PAINTER") || rounds < 1 || rounds > ROUNDS_MAX || seconds <= 0) {
		fprintf(stderr, "usage: UTM_TEST_PAINTER=painter.elf %s [ROUNDS [SECONDS]]\n", argv[0]);
		return 77;
	}
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t l = 0; l < sizeof loads / sizeof loads[0]; l++) {
		for (int round = 0; round < rounds; round++)
			for (size_t c = 0; c < CLIENTS; c++)
				if (!run(clients[c].watch, loads[l].options, seconds, &results[c][round]))
					return 1;
		report(&loads[l], results, rounds);
	}
	return 0;
}
