/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The SPICE engine: one session of spice-client-glib with its main, display and inputs channels. Pictures go to
 * picture.c, keys and pointer to input.c.
 *
 * The pixels of a display belong to SPICE, which rewrites them in place and frees them after display-primary-destroy;
 * pointers to them go no further than a Picture, and not past that signal.
 */
#include "engine.h"
#include "input.h"
#include "loop.h"
#include "picture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* A server that has neither displays nor inputs to offer is waited for so long. */
#define SETTLE_MS 1000

struct Engine {
	const EngineHost *host;
	SpiceSession *session;
	Input *input;
	SpiceChannel *inputs; /* of the session */
	int path_fd;          /* see address_of() */
	bool greeted;         /* the main channel is open */
	GPtrArray *joining;   /* channels on their way in */
	guint settle_timer;
	bool connected; /* that was said */
	bool over;      /* failed or ended was said */
	bool closing;
	bool disconnected;
	guint close_timer;
};

/* ---------------------------------------------------------------- the connection */

/* What went wrong on a channel, in words. */
static char *problem_of(SpiceChannel *channel, const char *otherwise)
{
	const GError *error = spice_channel_get_error(channel);
	return g_strdup(error && error->message ? error->message : otherwise);
}

static void give_up(Engine *engine, SpiceChannel *channel, UtmEngineFailure failure, const char *otherwise)
{
	if (engine->over || engine->closing)
		return;
	engine->over = true;
	g_autofree char *text = problem_of(channel, otherwise);
	if (engine->connected)
		engine->host->ended(engine->host->data, failure, text);
	else
		engine->host->failed(engine->host->data, failure, text);
}

static void settle(void *data)
{
	Engine *engine = data;
	engine->settle_timer = 0;
	if (engine->connected || engine->over || engine->closing || !engine->greeted)
		return;
	engine->connected = true;
	engine->host->connected(engine->host->data);
}

/* ---------------------------------------------------------------- channels that join */

/*
 * A session is connected when its displays and inputs are: a key that is sent right after must not be lost. They are
 * announced together, some turns of the loop after the main channel opened.
 *
 * And it must not be left before. SPICE servers (seen with 0.15.1) crash, and with them QEMU and its guest, when a
 * client goes away before they have read the first message of its display channel. To the client the channel is open
 * long before that, and even gets a message; only a surface comes after it for certain.
 */

static void disconnect(void *data);

static void joined(Engine *engine, SpiceChannel *channel)
{
	if (!g_ptr_array_remove_fast(engine->joining, channel) || engine->joining->len > 0)
		return;
	if (engine->closing)
		disconnect(engine);
	else
		settle(engine);
}

static void joining_event(SpiceChannel *channel, SpiceChannelEvent event, Engine *engine)
{
	bool done = event == SPICE_CHANNEL_OPENED ? !SPICE_IS_DISPLAY_CHANNEL(channel) : event != SPICE_CHANNEL_SWITCHING;
	if (done)
		joined(engine, channel);
}

static void joining_shows(SpiceChannel *channel, int format, int width, int height, int stride, int shmid,
                          gpointer pixels, Engine *engine)
{
	joined(engine, channel);
}

static void join(Engine *engine, SpiceChannel *channel)
{
	if (engine->closing)
		return;
	g_ptr_array_add(engine->joining, channel);
	g_signal_connect(channel, "channel-event", G_CALLBACK(joining_event), engine);
	if (SPICE_IS_DISPLAY_CHANNEL(channel))
		g_signal_connect(channel, "display-primary-create", G_CALLBACK(joining_shows), engine);
	spice_channel_connect(channel);
}

static void main_event(SpiceChannel *channel, SpiceChannelEvent event, Engine *engine)
{
	switch (event) {
	case SPICE_CHANNEL_OPENED:
		engine->greeted = true;
		/* For servers that announce nothing else. */
		engine->settle_timer = loop_add_timeout(SETTLE_MS, settle, engine);
		break;
	case SPICE_CHANNEL_CLOSED:
		give_up(engine, channel, UTM_ENGINE_FAILURE_CONNECT, "the display server closed the connection");
		break;
	case SPICE_CHANNEL_ERROR_AUTH:
		give_up(engine, channel, UTM_ENGINE_FAILURE_AUTH, "the display server refused the password");
		break;
	case SPICE_CHANNEL_ERROR_TLS:
	case SPICE_CHANNEL_ERROR_LINK:
		give_up(engine, channel, UTM_ENGINE_FAILURE_PROTOCOL, "the display server does not speak SPICE as it should");
		break;
	case SPICE_CHANNEL_ERROR_CONNECT:
	case SPICE_CHANNEL_ERROR_IO:
		give_up(engine, channel, UTM_ENGINE_FAILURE_CONNECT, "the connection to the display server broke");
		break;
	default:
		break;
	}
}

static void mouse_mode_changed(SpiceChannel *channel, Engine *engine)
{
	int mode = 0;
	g_object_get(channel, "mouse-mode", &mode, NULL);
	bool client = mode == SPICE_MOUSE_MODE_CLIENT;
	input_set_client_mode(engine->input, client);
	engine->host->pointer_mode(engine->host->data, client);
}

/* ---------------------------------------------------------------- displays */

static bool surface_format(int format, UtmSurfaceFormat *ret)
{
	bool wide = format == SPICE_SURFACE_FMT_32_xRGB || format == SPICE_SURFACE_FMT_32_ARGB;
	*ret = wide ? UTM_SURFACE_XRGB8888 : UTM_SURFACE_XRGB1555;
	return wide || format == SPICE_SURFACE_FMT_16_555;
}

static void primary_created(SpiceChannel *channel, int format, int width, int height, int stride, int shmid,
                            gpointer pixels, Picture *picture)
{
	UtmSurface surface = { .pixels = pixels, .stride = (gsize)stride };
	bool known = surface_format(format, &surface.format);
	if (known && pixels && width > 0 && height > 0 && stride > 0)
		picture_set_surface(picture, (guint32)width, (guint32)height, &surface);
	else
		picture_drop_surface(picture);
}

static void primary_destroyed(SpiceChannel *channel, Picture *picture)
{
	picture_drop_surface(picture);
}

static void invalidated(SpiceChannel *channel, int x, int y, int width, int height, Picture *picture)
{
	picture_paint(picture, (UtmRect){ x, y, width, height });
}

static void marked(SpiceChannel *channel, gboolean mark, Picture *picture)
{
	if (mark)
		picture_paint_all(picture);
}

/* A surface may be larger than the screen it shows. */
static void monitors_changed(SpiceChannel *channel, GParamSpec *property, Picture *picture)
{
	g_autoptr(GArray) monitors = NULL;
	UtmRect view = { 0 };
	g_object_get(channel, "monitors", &monitors, NULL);
	if (monitors && monitors->len > 0) {
		const SpiceDisplayMonitorConfig *first = &g_array_index(monitors, SpiceDisplayMonitorConfig, 0);
		if (first->surface_id == 0)
			view = (UtmRect){ (int)first->x, (int)first->y, (int)first->width, (int)first->height };
	}
	picture_set_view(picture, view);
}

static void display_event(SpiceChannel *channel, SpiceChannelEvent event, Picture *picture)
{
	if (event != SPICE_CHANNEL_OPENED && event != SPICE_CHANNEL_SWITCHING)
		picture_drop_surface(picture);
}

static void add_display(Engine *engine, SpiceChannel *channel)
{
	int id = -1;
	g_object_get(channel, "channel-id", &id, NULL);
	Picture *picture = id >= 0 ? engine->host->picture(engine->host->data, (guint)id) : NULL;
	if (!picture)
		return;
	g_signal_connect(channel, "display-primary-create", G_CALLBACK(primary_created), picture);
	g_signal_connect(channel, "display-primary-destroy", G_CALLBACK(primary_destroyed), picture);
	g_signal_connect(channel, "display-invalidate", G_CALLBACK(invalidated), picture);
	g_signal_connect(channel, "display-mark", G_CALLBACK(marked), picture);
	g_signal_connect(channel, "notify::monitors", G_CALLBACK(monitors_changed), picture);
	g_signal_connect(channel, "channel-event", G_CALLBACK(display_event), picture);
	join(engine, channel);
}

/* ---------------------------------------------------------------- channels */

static void inputs_event(SpiceChannel *channel, SpiceChannelEvent event, Engine *engine)
{
	bool open = event == SPICE_CHANNEL_OPENED;
	if (engine->disconnected)
		return;
	engine->inputs = open ? channel : NULL;
	input_set_channel(engine->input, open ? SPICE_INPUTS_CHANNEL(channel) : NULL);
	if (open)
		engine->host->input_ready(engine->host->data);
}

static void channel_new(SpiceSession *session, SpiceChannel *channel, Engine *engine)
{
	if (SPICE_IS_MAIN_CHANNEL(channel)) {
		g_signal_connect(channel, "channel-event", G_CALLBACK(main_event), engine);
		g_signal_connect(channel, "main-mouse-update", G_CALLBACK(mouse_mode_changed), engine);
	} else if (SPICE_IS_DISPLAY_CHANNEL(channel)) {
		add_display(engine, channel);
	} else if (SPICE_IS_INPUTS_CHANNEL(channel)) {
		g_signal_connect(channel, "channel-event", G_CALLBACK(inputs_event), engine);
		join(engine, channel);
	}
	/* Others stay unconnected: each costs the server a new RSA key, some 40 ms in which QEMU does nothing else. */
}

/* ---------------------------------------------------------------- the engine */

static Engine *session_create(const EngineHost *host)
{
	Engine *engine = g_new0(Engine, 1);
	engine->host = host;
	engine->path_fd = -1;
	engine->input = input_new();
	engine->joining = g_ptr_array_new();
	engine->session = spice_session_new();
	g_object_set(engine->session, "enable-audio", FALSE, "enable-usbredir", FALSE, "enable-smartcard", FALSE, NULL);
	g_signal_connect(engine->session, "channel-new", G_CALLBACK(channel_new), engine);
	return engine;
}

/* A path that is too long for a socket address is reached through a descriptor of the socket file itself. */
static char *address_of(Engine *engine, const char *path)
{
	struct sockaddr_un address;
	if (strlen(path) < sizeof address.sun_path)
		return g_strdup(path);
	engine->path_fd = open(path, O_PATH | O_CLOEXEC);
	return g_strdup_printf("/proc/self/fd/%d", engine->path_fd);
}

static void session_open(Engine *engine, const char *path, const char *password)
{
	g_autofree char *address = address_of(engine, path);
	g_object_set(engine->session, "unix-path", address, NULL);
	if (*password)
		g_object_set(engine->session, "password", password, NULL);
	if (!spice_session_connect(engine->session) && !engine->over) {
		engine->over = true;
		engine->host->failed(engine->host->data, UTM_ENGINE_FAILURE_CONNECT, "the display server cannot be reached");
	}
}

static void session_key(Engine *engine, guint scancode, bool pressed)
{
	input_key(engine->input, scancode, pressed);
}

static void session_move(Engine *engine, guint display, int x, int y, guint buttons)
{
	input_move(engine->input, display, x, y, buttons);
}

static void session_motion(Engine *engine, int dx, int dy, guint buttons)
{
	input_motion(engine->input, dx, dy, buttons);
}

static void session_button(Engine *engine, guint button, bool pressed, guint buttons)
{
	input_button(engine->input, button, pressed, buttons);
}

/* The channels end in coroutines of their own, some turns of the loop later. */
static void when_gone(void *data)
{
	Engine *engine = data;
	g_autoptr(GList) channels = spice_session_get_channels(engine->session);
	if (channels)
		loop_add_timeout(1, when_gone, engine);
	else
		engine->host->closed(engine->host->data);
}

static void leave(Engine *engine)
{
	input_set_channel(engine->input, NULL);
	spice_session_disconnect(engine->session);
	loop_add_idle(when_gone, engine);
}

static void flushed(GObject *source, GAsyncResult *result, gpointer data)
{
	spice_channel_flush_finish(SPICE_CHANNEL(source), result, NULL);
	leave(data);
}

/* Nothing joins any more, or it takes too long. */
static void disconnect(void *data)
{
	Engine *engine = data;
	loop_remove(&engine->close_timer);
	if (engine->disconnected)
		return;
	engine->disconnected = true;
	input_release_all(engine->input);
	if (engine->inputs)
		spice_channel_flush_async(engine->inputs, NULL, flushed, engine);
	else
		leave(engine);
}

static void session_close(Engine *engine)
{
	engine->closing = true;
	if (engine->joining->len == 0)
		disconnect(engine);
	else
		engine->close_timer = loop_add_timeout(UTM_ENGINE_JOIN_MS, disconnect, engine);
}

static void session_destroy(Engine *engine)
{
	loop_remove(&engine->settle_timer);
	loop_remove(&engine->close_timer);
	g_clear_object(&engine->session);
	g_ptr_array_unref(engine->joining);
	input_free(engine->input);
	if (engine->path_fd >= 0)
		close(engine->path_fd);
	g_free(engine);
}

const EngineKind spice_engine = {
	.name = "spice",
	.create = session_create,
	.open = session_open,
	.key = session_key,
	.move = session_move,
	.motion = session_motion,
	.button = session_button,
	.close = session_close,
	.destroy = session_destroy,
};
