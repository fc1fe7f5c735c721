/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at all of this host: a list of questions, asked one after another so that a small host is not swamped with
 * processes. Each appends what it found to the facts; none of them can fail the whole.
 */
#include "host/survey.h"

#include "base/util.h"
#include "host/machines.h"
#include "host/proof.h"
#include "host/qemu-program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

typedef struct Survey {
	UtmContext *context;
	UtmHost *host;
	UtmHostFacts *facts; /* of the host */
	char *architecture;
	gsize step, program, tool;
	const char *accelerator; /* the one being proven */
	char *accelerators;      /* QEMU's list */
	UtmHostProbeDone done;
	void *data;
} Survey;

static const char no_qemu[] = "there is no QEMU for the architecture";

static void next(Survey *survey);

#define ADD(survey, list, ...) utm__host_add_feature(&(survey)->facts->list, &(survey)->facts->list##_count, __VA_ARGS__)

/* --- QEMU programs --- */

static const char *const architectures[] = {
	"alpha",        "arm",   "aarch64",  "avr",    "cris",   "hppa",    "i386",    "loongarch64", "m68k",   "microblaze",
	"microblazeel", "mips",  "mipsel",   "mips64", "mips64el", "nios2", "or1k",    "ppc",         "ppc64",  "riscv32",
	"riscv64",      "rx",    "s390x",    "sh4",    "sh4eb",  "sparc",   "sparc64", "tricore",     "x86_64", "xtensa",
	"xtensaeb",
};

static void ask_program(Survey *survey);

static void on_program_version(const char *version, UtmError *error_taken, void *data)
{
	Survey *survey = data;
	UtmHostFeature *feature = survey->facts->programs[survey->facts->programs_count - 1];
	bool main = !strcmp(feature->name, survey->architecture);

	feature->state = version ? UTM_HOST_FEATURE_STATE_WORKS : UTM_HOST_FEATURE_STATE_FAILS;
	feature->version = g_strdup(version);
	feature->reason = error_taken ? g_strdup(utm_error_get_message(error_taken)) : NULL;
	utm_error_unref(error_taken);
	if (main) {
		g_free(survey->facts->qemu_version);
		survey->facts->qemu_version = g_strdup(version);
	}
	survey->program++;
	ask_program(survey);
}

static void ask_program(Survey *survey)
{
	for (; survey->program < G_N_ELEMENTS(architectures); survey->program++) {
		const char *architecture = architectures[survey->program];
		g_autofree char *path = utm__qemu_find(survey->context, architecture, NULL);

		if (!path && strcmp(architecture, survey->architecture) != 0)
			continue; /* what nobody asked for and is not there need not be listed */
		UtmHostFeature *feature = ADD(survey, programs, architecture, UTM_HOST_FEATURE_STATE_ABSENT,
		                              path ? NULL : "no such program");
		if (!path)
			continue;
		feature->path = g_strdup(path);
		utm__qemu_ask_version(survey->context, path, on_program_version, survey);
		return;
	}
	next(survey);
}

/* --- asking the architecture's QEMU for a list --- */

/* Whether a line of a list is, or a quoted word in it, this name. */
static bool lists(const char *text, const char *name)
{
	g_autofree char *pattern = g_strdup_printf("(?m)^(name \")?%s(\"|$)", name);

	return text && g_regex_match_simple(pattern, text, 0, 0);
}

static void ask_qemu(Survey *survey, const UtmProgramQuestion *question, UtmProgramDone done)
{
	if (survey->facts->qemu_path)
		utm__program_ask(survey->context, survey->facts->qemu_path, question, done, survey);
	else
		done(NULL, NULL, survey);
}

/* --- accelerators --- */

static void on_accelerators(const char *text, UtmError *error_taken, void *data)
{
	Survey *survey = data;

	utm_error_unref(error_taken);
	survey->accelerators = g_strdup(text);
	next(survey);
}

static void list_accelerators(Survey *survey)
{
	static const UtmProgramQuestion question = { "its accelerators", { "-accel", "help" } };

	ask_qemu(survey, &question, on_accelerators);
}

static void on_proof(int32_t state, const char *reason, void *data)
{
	Survey *survey = data;

	utm__host_take_proof(survey->host, survey->architecture, survey->accelerator, state, reason);
	next(survey);
}

static void prove(Survey *survey, const char *accelerator)
{
	const char *path = survey->facts->qemu_path;

	survey->accelerator = accelerator;
	if (!path)
		on_proof(UTM_HOST_FEATURE_STATE_ABSENT, no_qemu, survey);
	else if (!strcmp(accelerator, "tcg") && survey->accelerators && !lists(survey->accelerators, accelerator))
		on_proof(UTM_HOST_FEATURE_STATE_ABSENT, "this QEMU was built without it", survey);
	else
		utm__accelerator_prove(survey->context, path, survey->architecture, accelerator, on_proof, survey);
}

static void prove_kvm(Survey *survey)
{
	prove(survey, "kvm");
}

static void prove_tcg(Survey *survey)
{
	prove(survey, "tcg");
}

/* --- sound --- */

/* Whether somebody listens. Never waits: a listener whose queue is full is one too. */
static int32_t knock(const char *path, char **ret_reason)
{
	utm_autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0 || g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path))
		return UTM_HOST_FEATURE_STATE_UNKNOWN;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
		return UTM_HOST_FEATURE_STATE_WORKS;
	*ret_reason = g_strdup_printf("%s: %s", path, g_strerror(errno));
	return errno == ENOENT ? UTM_HOST_FEATURE_STATE_ABSENT : UTM_HOST_FEATURE_STATE_FAILS;
}

static int32_t knock_at(const char *dir_variable, const char *name, char **ret_reason)
{
	const char *dir = g_getenv(dir_variable);
	const char *runtime = dir && *dir ? dir : g_getenv("XDG_RUNTIME_DIR");

	if (!runtime || !*runtime) {
		*ret_reason = g_strdup("XDG_RUNTIME_DIR is not set, so there is no session to have a sound server");
		return UTM_HOST_FEATURE_STATE_ABSENT;
	}
	g_autofree char *path = g_build_filename(runtime, name, NULL);
	return knock(path, ret_reason);
}

static int32_t look_for_pulse(char **ret_reason)
{
	const char *server = g_getenv("PULSE_SERVER");

	if (server && *server) {
		*ret_reason = g_strdup("PULSE_SERVER names another server, which was not tried");
		return UTM_HOST_FEATURE_STATE_UNKNOWN;
	}
	return knock_at("PULSE_RUNTIME_PATH", g_getenv("PULSE_RUNTIME_PATH") ? "native" : "pulse/native", ret_reason);
}

static int32_t look_for_pipewire(char **ret_reason)
{
	const char *remote = g_getenv("PIPEWIRE_REMOTE");

	if (remote && *remote == '/')
		return knock(remote, ret_reason);
	return knock_at("PIPEWIRE_RUNTIME_DIR", remote && *remote ? remote : "pipewire-0", ret_reason);
}

/* The first device with such a name that opens, or why none does. */
static int32_t open_any(const char *dir_path, const char *prefix, char **ret_path, char **ret_reason)
{
	GDir *dir = g_dir_open(dir_path, 0, NULL);
	int32_t state = UTM_HOST_FEATURE_STATE_ABSENT;
	const char *name;

	while (dir && state != UTM_HOST_FEATURE_STATE_WORKS && (name = g_dir_read_name(dir))) {
		if (!g_str_has_prefix(name, prefix))
			continue;
		g_autofree char *path = g_build_filename(dir_path, name, NULL);
		utm_autofd fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		/* A device that is in use is one that works. */
		state = fd >= 0 || errno == EBUSY ? UTM_HOST_FEATURE_STATE_WORKS : UTM_HOST_FEATURE_STATE_FAILS;
		g_free(*ret_reason);
		*ret_reason = state == UTM_HOST_FEATURE_STATE_WORKS ? NULL : g_strdup_printf("%s: %s", path, g_strerror(errno));
		g_free(*ret_path);
		*ret_path = g_steal_pointer(&path);
	}
	if (dir)
		g_dir_close(dir);
	if (state == UTM_HOST_FEATURE_STATE_ABSENT)
		*ret_reason = g_strdup_printf("there is no %s/%s...", dir_path, prefix);
	return state;
}

static int32_t look_for_alsa(char **ret_reason)
{
	g_autofree char *path = NULL;

	return open_any("/dev/snd", "pcm", &path, ret_reason);
}

static int32_t always(char **ret_reason)
{
	return UTM_HOST_FEATURE_STATE_WORKS;
}

/* Those that play on the host, in order of preference, then the others. */
static const struct {
	const char *name;
	int32_t (*look)(char **ret_reason);
	bool host;
} audio[] = {
	{ "pipewire", look_for_pipewire, true },
	{ "pa", look_for_pulse, true },
	{ "alsa", look_for_alsa, true },
	{ "spice", always, false }, /* the other end is the library's own */
	{ "none", always, false },
};

static void on_audio(const char *text, UtmError *error_taken, void *data)
{
	Survey *survey = data;
	bool chosen = false;

	for (gsize i = 0; i < G_N_ELEMENTS(audio); i++) {
		g_autofree char *reason = NULL;
		int32_t state = UTM_HOST_FEATURE_STATE_ABSENT;

		if (!text)
			reason = g_strdup(error_taken ? utm_error_get_message(error_taken) : no_qemu);
		else if (!lists(text, audio[i].name))
			reason = g_strdup("this QEMU does not have it");
		else
			state = audio[i].look(&reason);
		ADD(survey, audio_backends, audio[i].name, state, reason);
		if (!chosen && audio[i].host && state == UTM_HOST_FEATURE_STATE_WORKS) {
			chosen = true;
			g_free(survey->facts->host_audio);
			survey->facts->host_audio = g_strdup(audio[i].name);
		}
	}
	utm_error_unref(error_taken);
	next(survey);
}

static void list_audio(Survey *survey)
{
	static const UtmProgramQuestion question = { "its sound systems", { "-audiodev", "help" } };

	ask_qemu(survey, &question, on_audio);
}

/* --- OpenGL --- */

static void add_offered(Survey *survey, const char *text, const char *name)
{
	bool offered = lists(text, name);
	const char *missing = text ? "this QEMU does not have it" : no_qemu;

	ADD(survey, graphics, name, offered ? UTM_HOST_FEATURE_STATE_UNKNOWN : UTM_HOST_FEATURE_STATE_ABSENT,
	    offered ? "this QEMU has it" : missing);
}

static void on_devices(const char *text, UtmError *error_taken, void *data)
{
	Survey *survey = data;

	utm_error_unref(error_taken);
	add_offered(survey, text, "virtio-gpu-gl-pci");
	add_offered(survey, text, "virtio-vga-gl");
	next(survey);
}

static void list_devices(Survey *survey)
{
	static const UtmProgramQuestion question = { "its devices", { "-device", "help" } };

	ask_qemu(survey, &question, on_devices);
}

static void on_displays(const char *text, UtmError *error_taken, void *data)
{
	Survey *survey = data;
	g_autofree char *reason = NULL;
	g_autofree char *path = NULL;

	utm_error_unref(error_taken);
	add_offered(survey, text, "egl-headless");
	int32_t state = open_any("/dev/dri", "renderD", &path, &reason);
	ADD(survey, graphics, "render-node", state, reason)->path = g_steal_pointer(&path);
	next(survey);
}

static void list_displays(Survey *survey)
{
	static const UtmProgramQuestion question = { "its displays", { "-display", "help" } };

	ask_qemu(survey, &question, on_displays);
}

/* --- programs beside QEMU --- */

static const char *const helper_dirs[] = { "/usr/lib/qemu", "/usr/libexec", "/usr/libexec/qemu", "/usr/local/libexec",
	                                       NULL };
static const UtmProgramQuestion version_question = { "its version", { "--version" } };

static const struct {
	const char *name, *package;
} tools[] = {
	{ "qemu-img", "qemu-utils" },
	{ "swtpm", "swtpm" },
	{ "virtiofsd", "qemu-system-common or virtiofsd" },
};

static void ask_tool(Survey *survey);

/* The first number with a dot. */
static char *find_version(const char *text)
{
	g_autoptr(GRegex) regex = g_regex_new("[0-9]+(\\.[0-9]+)+", 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;

	return g_regex_match(regex, text, 0, &match) ? g_match_info_fetch(match, 0) : NULL;
}

static void on_tool_version(const char *text, UtmError *error_taken, void *data)
{
	Survey *survey = data;
	UtmHostFeature *feature = survey->facts->tools[survey->facts->tools_count - 1];

	feature->state = text ? UTM_HOST_FEATURE_STATE_WORKS : UTM_HOST_FEATURE_STATE_FAILS;
	feature->version = text && g_utf8_validate(text, -1, NULL) ? find_version(text) : NULL;
	feature->reason = error_taken ? g_strdup(utm_error_get_message(error_taken)) : NULL;
	utm_error_unref(error_taken);
	survey->tool++;
	ask_tool(survey);
}

static void ask_tool(Survey *survey)
{
	for (; survey->tool < G_N_ELEMENTS(tools); survey->tool++) {
		g_autofree char *path = utm__program_find(survey->context, tools[survey->tool].name, helper_dirs);
		g_autofree char *missing = g_strdup_printf("it comes with the package %s", tools[survey->tool].package);
		UtmHostFeature *feature = ADD(survey, tools, tools[survey->tool].name, UTM_HOST_FEATURE_STATE_ABSENT,
		                              path ? NULL : missing);

		if (!path)
			continue;
		feature->path = g_strdup(path);
		utm__program_ask(survey->context, path, &version_question, on_tool_version, survey);
		return;
	}
	next(survey);
}

/* --- bridges --- */

static bool may_make_taps(const char *path)
{
	struct stat status;

	if (geteuid() == 0 || getxattr(path, "security.capability", NULL, 0) > 0)
		return true;
	return stat(path, &status) == 0 && (status.st_mode & S_ISUID) && status.st_uid == 0;
}

static void look_at_bridges(Survey *survey)
{
	g_autofree char *path = utm__program_find(survey->context, "qemu-bridge-helper", helper_dirs);
	g_autoptr(GPtrArray) allowed = g_ptr_array_new_with_free_func(g_free);
	const char *reason = NULL;
	int32_t state = UTM_HOST_FEATURE_STATE_FAILS;

	if (!path) {
		state = UTM_HOST_FEATURE_STATE_ABSENT;
		reason = "it comes with the package qemu-system-common";
		g_free(survey->facts->bridge_helper);
		survey->facts->bridge_helper = g_strdup(""); /* there is none */
	} else if (!utm__bridge_rules_read("/etc/qemu/bridge.conf", allowed)) {
		reason = "there is no readable /etc/qemu/bridge.conf, which says what bridges it may attach to";
	} else if (!allowed->len) {
		reason = "/etc/qemu/bridge.conf allows no bridge";
	} else if (!may_make_taps(path)) {
		reason = "it is neither set-uid root nor has it the capability CAP_NET_ADMIN";
	} else {
		state = UTM_HOST_FEATURE_STATE_WORKS;
	}
	ADD(survey, tools, "qemu-bridge-helper", state, reason)->path = g_steal_pointer(&path);
	survey->facts->allowed_bridges_count = allowed->len;
	survey->facts->allowed_bridges = (char **)g_ptr_array_steal(allowed, NULL);
	next(survey);
}

/* --- all of them --- */

static void (*const steps[])(Survey *survey) = {
	ask_program, list_accelerators, prove_kvm,     prove_tcg, list_audio,
	list_devices, list_displays,    ask_tool, look_at_bridges,
};

static void next(Survey *survey)
{
	if (survey->step < G_N_ELEMENTS(steps)) {
		steps[survey->step++](survey);
		return;
	}
	survey->done(survey->host, NULL, survey->data);
	g_free(survey->architecture);
	g_free(survey->accelerators);
	g_free(survey);
}

void utm__host_survey_async(UtmContext *context, const char *architecture, UtmHostProbeDone done, void *data)
{
	UtmHost *host = utm__host_look_around(context, architecture, utm__qemu_find(context, architecture, NULL));
	Survey *survey = g_new0(Survey, 1);

	*survey = (Survey){ .context = context,
		                .host = host,
		                .facts = utm__host_edit_facts(host),
		                .architecture = g_strdup(architecture),
		                .done = done,
		                .data = data };
	next(survey);
}
