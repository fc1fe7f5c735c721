/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of context.h, each through the public interface alone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/utm.h>

/* Events come from the log here: a refused call logs nothing, but a QMP handshake over a socket pair gives real traffic. */
static const char greeting[] =
	"{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":2,\"major\":7},\"package\":\"\"},\"capabilities\":[]}}\r\n";

/* The smallest monitor: greets, then answers every command with an empty object and sends `events` events before that. */
typedef struct Monitor {
	int fd;
	int client_fd;
	int events;
	pthread_t thread;
} Monitor;

/* The client may have gone by now; a monitor does not mind. */
static void send_text(int fd, const char *text)
{
	ssize_t sent = send(fd, text, strlen(text), MSG_NOSIGNAL);
	if (sent < 0)
		g_assert_cmpint(errno, ==, EPIPE);
	else
		g_assert_cmpint(sent, ==, (ssize_t)strlen(text));
}

static void answer(Monitor *monitor, const char *command)
{
	const char *id = strstr(command, "\"id\":");
	g_autofree char *reply = g_strdup_printf("{\"return\":{},\"id\":%d}\r\n", id ? atoi(id + 5) : 0);
	bool negotiation = strstr(command, "qmp_capabilities") != NULL;
	for (int i = 0; i < monitor->events && !negotiation; i++)
		send_text(monitor->fd, "{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"RESET\","
		                       "\"data\":{\"guest\":false}}\r\n");
	send_text(monitor->fd, reply);
}

static void *serve(void *data)
{
	Monitor *monitor = data;
	char command[4096];
	send_text(monitor->fd, greeting);
	for (;;) {
		ssize_t size = recv(monitor->fd, command, sizeof command - 1, 0);
		if (size <= 0)
			return NULL;
		command[size] = 0;
		if (!strstr(command, "never"))
			answer(monitor, command);
	}
}

static UtmQmp *monitor_start(Monitor *monitor, UtmContext *context, int events)
{
	int fds[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	monitor->fd = fds[0];
	monitor->events = events;
	pthread_create(&monitor->thread, NULL, serve, monitor);
	UtmQmp *qmp = NULL;
	g_assert_cmpint(utm_qmp_connect_fd(context, fds[1], NULL, &qmp, NULL), ==, 0);
	return qmp;
}

static void monitor_stop(Monitor *monitor)
{
	pthread_join(monitor->thread, NULL);
	close(monitor->fd);
}

typedef struct Seen {
	UtmContext *context;
	UtmQmp *qmp;
	int events;
	int replies;
	int code;
	int frees;
	pthread_t thread;
	int nested;
} Seen;

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Seen *seen = data;
	seen->events += event->name != NULL;
	seen->thread = pthread_self();
}

static void on_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Seen *seen = data;
	seen->replies++;
	seen->code = utm_error_get_code(error);
	seen->thread = pthread_self();
}

static void on_free(void *data)
{
	((Seen *)data)->frees++;
}

static bool readable(UtmContext *context, int timeout_ms)
{
	struct pollfd p = { utm_context_get_fd(context), POLLIN, 0 };
	return poll(&p, 1, timeout_ms) == 1;
}

/* Rule 1: one descriptor, only ever readable, and readable means dispatch. */
static void test_descriptor(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	Seen seen = { 0 };
	int fd = utm_context_get_fd(context);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
	g_assert_false(readable(context, 0));
	UtmQmp *qmp = monitor_start(&monitor, context, 0);
	for (int i = 1; i <= 100; i++) {
		utm_qmp_execute_async(qmp, "anything", NULL, NULL, on_reply, &seen, NULL, NULL);
		g_assert_true(readable(context, 10000));
		g_assert_cmpint(utm_context_dispatch(context, 0), ==, 1);
		g_assert_cmpint(seen.replies, ==, i);
		g_assert_false(readable(context, 0));
		g_assert_cmpint(utm_context_get_fd(context), ==, fd);
	}
	utm_qmp_unref(qmp);
	monitor_stop(&monitor);
	utm_context_unref(context);
}

static void *dispatch_here(void *data)
{
	Seen *seen = data;
	while (seen->replies == 0)
		g_assert_cmpint(utm_context_wait(seen->context, 10000), >, 0);
	return NULL;
}

/* Rule 2: callbacks run on the thread that dispatches, whichever that is. */
static void test_thread_of_callbacks(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	UtmQmp *qmp = monitor_start(&monitor, context, 0);
	Seen here = { 0 }, there = { .context = context };
	utm_qmp_execute_async(qmp, "anything", NULL, NULL, on_reply, &here, NULL, NULL);
	while (!here.replies)
		utm_context_wait(context, 10000);
	g_assert_true(pthread_equal(here.thread, pthread_self()));
	pthread_t thread;
	utm_qmp_execute_async(qmp, "anything", NULL, NULL, on_reply, &there, NULL, NULL);
	pthread_create(&thread, NULL, dispatch_here, &there);
	pthread_join(thread, NULL);
	g_assert_true(pthread_equal(there.thread, thread));
	utm_qmp_unref(qmp);
	monitor_stop(&monitor);
	utm_context_unref(context);
}

typedef struct Wakeups {
	UtmContext *context;
	UtmQmp *qmp;
	gint calls;
	gint frees;
	gint refused;
	gint depth;
} Wakeups;

static void on_wakeup(void *data)
{
	Wakeups *wakeups = data;
	g_assert_cmpint(g_atomic_int_add(&wakeups->depth, 1), ==, 0);
	g_atomic_int_inc(&wakeups->calls);
	if (wakeups->qmp) {
		UtmError *error = NULL;
		if (utm_qmp_execute(wakeups->qmp, "anything", NULL, NULL, NULL, &error) == UTM_ERROR_WRONG_THREAD &&
		    utm_context_dispatch(wakeups->context, 0) == UTM_ERROR_WRONG_THREAD &&
		    utm_context_set_wakeup(wakeups->context, NULL, NULL, NULL) == UTM_ERROR_WRONG_THREAD)
			g_atomic_int_inc(&wakeups->refused);
		utm_error_unref(error);
	}
	g_atomic_int_add(&wakeups->depth, -1);
}

static void on_wakeup_free(void *data)
{
	g_atomic_int_inc(&((Wakeups *)data)->frees);
}

/* The library's thread may be about to do it. */
static void await_count(gint *count, gint wanted)
{
	for (int i = 0; i < 10000 && g_atomic_int_get(count) < wanted; i++)
		g_usleep(1000);
	g_assert_cmpint(g_atomic_int_get(count), ==, wanted);
}

/* Rule 3: the wakeup is coalesced, refuses blocking calls, and fires once when set while events wait. */
static void test_wakeup(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	Wakeups late = { 0 }, w = { .context = context };
	Seen seen = { 0 };
	UtmQmp *qmp = monitor_start(&monitor, context, 20);
	utm_qmp_set_event_handler(qmp, on_event, &seen, NULL);
	g_assert_cmpint(utm_qmp_execute(qmp, "anything", NULL, NULL, NULL, NULL), ==, 0);
	utm_context_set_wakeup(context, on_wakeup, &late, on_wakeup_free);
	await_count(&late.calls, 1);
	while (seen.events < 20)
		utm_context_wait(context, 10000);

	w.qmp = qmp;
	utm_context_set_wakeup(context, on_wakeup, &w, on_wakeup_free);
	g_assert_cmpint(late.frees, ==, 1);
	g_assert_cmpint(utm_qmp_execute(qmp, "anything", NULL, NULL, NULL, NULL), ==, 0);
	g_assert_true(readable(context, 10000));
	await_count(&w.refused, 1);
	g_usleep(20000);
	g_assert_cmpint(g_atomic_int_get(&w.calls), ==, 1); /* for 20 events */
	utm_context_set_wakeup(context, NULL, NULL, NULL);
	g_assert_cmpint(w.frees, ==, 1);
	utm_qmp_unref(qmp);
	monitor_stop(&monitor);
	utm_context_unref(context);
}

/* Rule 4: what is left stays signalled; an edge-triggered host loses nothing either. */
static void test_edge_triggered(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	Seen seen = { 0 };
	UtmQmp *qmp = monitor_start(&monitor, context, 50);
	utm_qmp_set_event_handler(qmp, on_event, &seen, NULL);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event wanted = { .events = EPOLLIN | EPOLLET }, got;
	epoll_ctl(epoll, EPOLL_CTL_ADD, utm_context_get_fd(context), &wanted);
	for (int round = 1; round <= 20; round++) {
		utm_qmp_execute_async(qmp, "anything", NULL, NULL, on_reply, &seen, NULL, NULL);
		while (seen.replies < round) {
			g_assert_cmpint(epoll_wait(epoll, &got, 1, 10000), ==, 1);
			g_assert_cmpint(utm_context_dispatch(context, 3), <=, 3);
		}
		while (utm_context_dispatch(context, 0) > 0)
			;
	}
	g_assert_cmpint(seen.events, ==, 20 * 50);
	close(epoll);
	utm_qmp_unref(qmp);
	monitor_stop(&monitor);
	utm_context_unref(context);
}

static void on_event_calling(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Seen *seen = data;
	if (!event->name || seen->nested++)
		return;
	g_autofree char *reply = NULL;
	g_assert_cmpint(utm_qmp_execute(qmp, "inside", NULL, NULL, &reply, NULL), ==, 0);
	g_assert_cmpstr(reply, ==, "{}");
	g_assert_cmpint(utm_context_dispatch(seen->context, 0), ==, UTM_ERROR_INVALID_STATE);
	seen->events++;
}

/* Rule 5: blocking calls work inside callbacks. */
static void test_blocking_inside_a_callback(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	Seen seen = { .context = context };
	UtmQmp *qmp = monitor_start(&monitor, context, 1);
	utm_qmp_set_event_handler(qmp, on_event_calling, &seen, NULL);
	g_assert_cmpint(utm_qmp_execute(qmp, "outside", NULL, NULL, NULL, NULL), ==, 0);
	while (!seen.events)
		utm_context_wait(context, 10000);
	utm_qmp_unref(qmp);
	monitor_stop(&monitor);
	utm_context_unref(context);
}

static void on_overflow(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Seen *seen = data;
	seen->events += event->name != NULL;
	seen->nested += (int)event->dropped;
}

/* Rule 6: events are bounded, and what was dropped is told; completions always arrive. */
static void test_overflow_is_told(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	Seen seen = { 0 }, replies = { 0 };
	UtmQmp *qmp = monitor_start(&monitor, context, 1500);
	utm_qmp_set_event_handler(qmp, on_overflow, &seen, NULL);
	for (int i = 0; i < 2; i++)
		g_assert_cmpint(utm_qmp_execute(qmp, "anything", NULL, NULL, NULL, NULL), ==, 0);
	while (utm_context_wait(context, 100) > 0)
		;
	g_assert_cmpint(seen.events, ==, 1024);
	utm_qmp_execute_async(qmp, "anything", NULL, NULL, on_reply, &replies, NULL, NULL);
	while (!replies.replies)
		utm_context_wait(context, 10000);
	while (utm_context_wait(context, 100) > 0)
		;
	g_assert_cmpint(seen.events + seen.nested, ==, 3 * 1500);
	utm_qmp_unref(qmp);
	monitor_stop(&monitor);
	utm_context_unref(context);
}

/* Rule 7: free_fn exactly once, also when the function that took the triple fails. */
static void test_free_exactly_once(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	Seen refused = { 0 }, answered = { 0 }, replaced = { 0 }, kept = { 0 }, none = { 0 };
	UtmQmp *qmp = monitor_start(&monitor, context, 0);
	g_assert_cmpint(utm_qmp_execute_async(qmp, "a", "not json", NULL, on_reply, &refused, on_free, NULL), <, 0);
	g_assert_cmpint(refused.frees, ==, 1);
	g_assert_cmpint(utm_qmp_execute_async(NULL, "a", NULL, NULL, on_reply, &none, on_free, NULL), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(none.frees, ==, 1);
	utm_qmp_execute_async(qmp, "a", NULL, NULL, on_reply, &answered, on_free, NULL);
	while (!answered.replies)
		utm_context_wait(context, 10000);
	g_assert_cmpint(answered.frees, ==, 1);
	utm_qmp_set_event_handler(qmp, on_event, &replaced, on_free);
	utm_qmp_set_event_handler(qmp, on_event, &kept, on_free);
	g_assert_cmpint(replaced.frees, ==, 1);
	g_assert_cmpint(kept.frees, ==, 0);
	utm_qmp_unref(qmp);
	monitor_stop(&monitor);
	utm_context_unref(context);
	g_assert_cmpint(kept.frees, ==, 1);
	g_assert_cmpint(answered.frees + refused.frees + replaced.frees + none.frees, ==, 4);
	g_assert_cmpint(refused.replies + none.replies, ==, 0);
}

/* Rule 8: the last reference ends everything, with work queued, pending and unanswered. */
static void test_end_with_work_pending(void)
{
	for (int i = 0; i < 50; i++) {
		UtmContext *context = utm_context_new(NULL, NULL);
		Monitor monitor;
		Seen seen = { 0 };
		UtmQmp *qmp = monitor_start(&monitor, context, 3);
		utm_qmp_set_event_handler(qmp, on_event, &seen, on_free);
		utm_qmp_execute_async(qmp, "anything", NULL, NULL, on_reply, &seen, on_free, NULL);
		utm_qmp_execute_async(qmp, "never", NULL, NULL, on_reply, &seen, on_free, NULL);
		utm_context_unref(context); /* the connection still holds it */
		utm_qmp_unref(qmp);
		g_assert_cmpint(seen.frees, ==, 3);
		g_assert_cmpint(seen.replies, ==, 0);
		monitor_stop(&monitor);
	}
}

static void on_reply_ending_all(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Seen *seen = data;
	utm_qmp_unref(seen->qmp);
	utm_context_unref(seen->context);
	seen->replies++;
}

static void test_last_reference_dropped_in_a_callback(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	Seen seen = { .context = context };
	seen.qmp = monitor_start(&monitor, context, 0);
	utm_qmp_execute_async(seen.qmp, "anything", NULL, NULL, on_reply_ending_all, &seen, on_free, NULL);
	while (!seen.replies)
		g_assert_cmpint(utm_context_wait(context, 10000), >, 0);
	g_assert_cmpint(seen.frees, ==, 1);
	monitor_stop(&monitor);
}

static int count_open(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* A host that forks and executes finds no descriptor of ours in its child, and none is left after the context. */
static void test_fork_and_exec(void)
{
	int before = count_open("/proc/self/fd");
	UtmContext *context = utm_context_new(NULL, NULL);
	Monitor monitor;
	UtmQmp *qmp = monitor_start(&monitor, context, 0);
	int out[2];
	g_assert_cmpint(pipe2(out, O_CLOEXEC), ==, 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(out[1], 1);
		execl("/bin/ls", "ls", "-l", "/proc/self/fd", NULL);
		_exit(1);
	}
	close(out[1]);
	char list[4096] = "";
	ssize_t size = 0, more;
	while ((more = read(out[0], list + size, sizeof list - 1 - (size_t)size)) > 0)
		size += more;
	close(out[0]);
	waitpid(child, NULL, 0);
	/* By what it is, not by its number: the child opens files of its own. */
	g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", utm_context_get_fd(context));
	g_autofree char *own = g_file_read_link(link, NULL);
	g_assert_cmpint(size, >, 0);
	g_assert_nonnull(own);
	g_assert_null(strstr(list, own));
	/* and the parent goes on */
	g_assert_cmpint(utm_qmp_execute(qmp, "anything", NULL, NULL, NULL, NULL), ==, 0);
	utm_qmp_unref(qmp);
	monitor_stop(&monitor);
	utm_context_unref(context);
	g_assert_cmpint(count_open("/proc/self/fd"), ==, before);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rules/1-descriptor", test_descriptor);
	g_test_add_func("/rules/2-thread-of-callbacks", test_thread_of_callbacks);
	g_test_add_func("/rules/3-wakeup", test_wakeup);
	g_test_add_func("/rules/4-edge-triggered", test_edge_triggered);
	g_test_add_func("/rules/5-blocking-inside-a-callback", test_blocking_inside_a_callback);
	g_test_add_func("/rules/6-overflow-is-told", test_overflow_is_told);
	g_test_add_func("/rules/7-free-exactly-once", test_free_exactly_once);
	g_test_add_func("/rules/8-end-with-work-pending", test_end_with_work_pending);
	g_test_add_func("/rules/8-last-reference-in-a-callback", test_last_reference_dropped_in_a_callback);
	g_test_add_func("/rules/fork-and-exec", test_fork_and_exec);
	return g_test_run();
}
