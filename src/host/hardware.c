/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmHardware: lists of names, from QEMU or from the ledger, and the public call that gets them. */
#include "host/hardware.h"

#include "base/util.h"
#include "core/request.h"
#include "host/machines.h"
#include "host/qemu-program.h"

#include <string.h>

/* Longer than QEMU has to answer. */
enum {
	QUERY_MS = 20000
};

struct UtmHardware {
	gint refs;
	char *architecture, *path, *version;
	GStringChunk *texts;
	char *ledger; /* nullable; items of the ledger point into it */
	GArray *lists[UTM_HARDWARE_KINDS]; /* of UtmHardwareItem */
};

/* --- making --- */

UtmHardware *utm__hardware_new(const char *architecture, const char *qemu_path_or_null)
{
	UtmHardware *hardware = g_new0(UtmHardware, 1);

	*hardware = (UtmHardware){ .refs = 1,
		                       .architecture = g_strdup(architecture),
		                       .path = g_strdup(qemu_path_or_null),
		                       .version = g_strdup(""),
		                       .texts = g_string_chunk_new(4096) };
	for (gsize i = 0; i < UTM_HARDWARE_KINDS; i++)
		hardware->lists[i] = g_array_new(FALSE, FALSE, sizeof(UtmHardwareItem));
	return hardware;
}

void utm__hardware_set_version(UtmHardware *hardware, const char *version)
{
	g_free(hardware->version);
	hardware->version = g_strdup(version);
}

static const char *keep(UtmHardware *hardware, const char *text)
{
	if (!text || !*text || strlen(text) > UTM_HARDWARE_TEXT_MAX)
		return NULL;
	return g_string_chunk_insert_const(hardware->texts, text);
}

/* The strings live as long as the hardware. */
static bool append(UtmHardware *hardware, UtmHardwareKind kind, const UtmHardwareItem *item)
{
	if (hardware->lists[kind]->len == UTM_HARDWARE_ITEMS_MAX)
		return false;
	if (item->name)
		g_array_append_vals(hardware->lists[kind], item, 1);
	return true;
}

bool utm__hardware_add(UtmHardware *hardware, UtmHardwareKind kind, const UtmHardwareItem *item)
{
	UtmHardwareItem kept = { .size = sizeof(kept),
		                     .name = keep(hardware, item->name),
		                     .alias = keep(hardware, item->alias),
		                     .description = keep(hardware, item->description),
		                     .bus = keep(hardware, item->bus),
		                     .cpu = keep(hardware, item->cpu),
		                     .flags = item->flags,
		                     .max_cpus = item->max_cpus,
		                     .since = keep(hardware, item->since),
		                     .type = keep(hardware, item->type),
		                     .default_json = keep(hardware, item->default_json) };

	return append(hardware, kind, &kept);
}

/* Parts of boards that UTM lists beside the devices, for the argument builder knows what to do about them. */
static const struct {
	const char *architectures; /* names between blanks */
	UtmHardwareKind kind;
	const char *name;
} on_board[] = {
	{ " sparc ", UTM_HARDWARE_DISPLAY, "tcx" },       { " sparc ", UTM_HARDWARE_DISPLAY, "cg3" },
	{ " sparc ", UTM_HARDWARE_NETWORK, "lance" },     { " m68k ", UTM_HARDWARE_NETWORK, "dp8393x" },
	{ " m68k ", UTM_HARDWARE_SOUND, "asc" },          { " ppc ppc64 ", UTM_HARDWARE_SOUND, "screamer" },
	{ " i386 x86_64 ", UTM_HARDWARE_SOUND, "pcspk" },
};

static void add_on_board(UtmHardware *hardware)
{
	for (gsize i = 0; i < G_N_ELEMENTS(on_board); i++) {
		UtmHardwareItem item = { .name = on_board[i].name, .flags = UTM_HARDWARE_ITEM_ON_BOARD };

		if (utm__has_word(on_board[i].architectures, hardware->architecture) && !utm_hardware_find(hardware, on_board[i].kind, item.name))
			(void)utm__hardware_add(hardware, on_board[i].kind, &item);
	}
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const UtmHardwareItem *)a)->name, ((const UtmHardwareItem *)b)->name);
}

/* The ledger is in order, and it is read for each check of a configuration. */
static bool is_sorted(const GArray *list)
{
	const UtmHardwareItem *items = (const UtmHardwareItem *)(const void *)list->data;

	for (guint i = 1; i < list->len; i++)
		if (compare_items(&items[i - 1], &items[i]) > 0)
			return false;
	return true;
}

void utm__hardware_sort(UtmHardware *hardware)
{
	for (gsize i = 0; i < UTM_HARDWARE_KINDS; i++)
		if (!is_sorted(hardware->lists[i]))
			g_array_sort(hardware->lists[i], compare_items);
}

void utm__hardware_seal(UtmHardware *hardware)
{
	UtmHardwareItem default_cpu = { .size = sizeof(default_cpu),
		                            .name = "default",
		                            .flags = UTM_HARDWARE_ITEM_DEFAULT };

	add_on_board(hardware);
	utm__hardware_sort(hardware);
	g_array_prepend_val(hardware->lists[UTM_HARDWARE_CPU], default_cpu);
}

/* --- the ledger --- */

static const char *const kind_words[] = { "machine", "cpu", "flag", "display", "network", "sound" };

static void take_word(UtmHardwareItem *item, const char *word)
{
	const char *value = strchr(word, '=');

	if (!strcmp(word, "default"))
		item->flags |= UTM_HARDWARE_ITEM_DEFAULT;
	else if (!strcmp(word, "deprecated"))
		item->flags |= UTM_HARDWARE_ITEM_DEPRECATED;
	else if (g_str_has_prefix(word, "gone="))
		item->flags |= UTM_HARDWARE_ITEM_GONE;
	else if (g_str_has_prefix(word, "alias="))
		item->alias = value + 1;
	else if (g_str_has_prefix(word, "bus="))
		item->bus = value + 1;
	else if (g_str_has_prefix(word, "cpu="))
		item->cpu = value + 1;
	else if (g_str_has_prefix(word, "since="))
		item->since = value + 1;
	else if (g_str_has_prefix(word, "cpus="))
		item->max_cpus = (uint32_t)g_ascii_strtoull(value + 1, NULL, 10);
}

static void take_item(UtmHardware *hardware, UtmHardwareKind kind, char *line)
{
	UtmHardwareItem item = { .size = sizeof(item), .name = strsep(&line, " ") };

	while (line)
		take_word(&item, strsep(&line, " "));
	(void)append(hardware, kind, &item);
}

static void take_section(UtmHardware *hardware, char *rest)
{
	UtmHardwareKind kind = UTM_HARDWARE_MACHINE;

	while (rest) {
		char *line = strsep(&rest, "\n");

		if (*line == ' ') {
			take_item(hardware, kind, line + 1);
			continue;
		}
		for (guint i = 0; i < G_N_ELEMENTS(kind_words); i++)
			if (!strcmp(line, kind_words[i]))
				kind = i;
	}
}

UtmHardware *utm__hardware_from_snapshot(const char *architecture)
{
	g_autofree char *head = g_strdup_printf("\narchitecture %s ", architecture);
	const char *start = strstr(utm__hardware_snapshot, head);
	const char *end = start ? strstr(start + 1, "\narchitecture ") : NULL;

	if (!start)
		return NULL;
	start += strlen(head);
	UtmHardware *hardware = utm__hardware_new(architecture, NULL);
	hardware->ledger = end ? g_strndup(start, (gsize)(end - start)) : g_strdup(start);
	char *rest = hardware->ledger;
	utm__hardware_set_version(hardware, strsep(&rest, "\n"));
	take_section(hardware, rest);
	utm__hardware_seal(hardware);
	return hardware;
}

/* --- the calls --- */

typedef struct Query {
	char *architecture;
	bool installed_only;
	UtmHardwareKind kind; /* with `name` */
	char *name;           /* whose properties; NULL: all lists */
	char *program;        /* while the lists are asked for the sake of an alias */
} Query;

static void query_free(void *data)
{
	Query *query = data;

	g_free(query->architecture);
	g_free(query->name);
	g_free(query->program);
	g_free(query);
}

static void on_asked(UtmHardware *hardware_taken, UtmError *error_taken, void *data)
{
	g_autoptr(UtmRequest) request = data;

	utm__request_finish(request, error_taken, hardware_taken, (GDestroyNotify)utm_hardware_unref);
}

/* Of devices the kind does not matter: no two have the same name. */
static const UtmHardwareItem *find_named(const UtmHardware *hardware, UtmHardwareKind kind, const char *name)
{
	if (kind == UTM_HARDWARE_MACHINE)
		return utm_hardware_find(hardware, kind, name);
	const UtmHardwareItem *item = utm_hardware_find(hardware, UTM_HARDWARE_DISPLAY, name);
	item = item ? item : utm_hardware_find(hardware, UTM_HARDWARE_NETWORK, name);
	return item ? item : utm_hardware_find(hardware, UTM_HARDWARE_SOUND, name);
}

/* QEMU's lists know which name an alias stands for; whoever is in none goes by the name that was given. */
static void on_lists(UtmHardware *hardware_taken, UtmError *error_taken, void *data)
{
	g_autoptr(UtmHardware) hardware = hardware_taken;
	UtmRequest *request = data;
	const Query *query = utm__request_get_input(request);
	bool is_machine = query->kind == UTM_HARDWARE_MACHINE;

	if (!hardware) {
		on_asked(NULL, error_taken, request);
		return;
	}
	const UtmHardwareItem *item = find_named(hardware, query->kind, query->name);
	g_autofree char *type = g_strconcat(item ? item->name : query->name, is_machine ? "-machine" : NULL, NULL);
	utm__hardware_ask_properties(utm__request_get_context(request), query->architecture, query->program, is_machine, type,
	                             on_asked, request);
}

static void start_query(UtmRequest *request)
{
	UtmContext *context = utm__request_get_context(request);
	Query *query = utm__request_get_input(request);
	UtmError *error = NULL;
	char *program = query->program = utm__qemu_find(context, query->architecture, &error);
	UtmHardware *snapshot = program || query->installed_only ? NULL : utm__hardware_from_snapshot(query->architecture);

	if (program) {
		utm__hardware_ask(context, query->architecture, program, query->name ? on_lists : on_asked,
		                  utm__request_ref(request));
		return;
	}
	if (snapshot)
		g_clear_pointer(&error, utm_error_unref);
	on_asked(snapshot, error, utm__request_ref(request));
}

static int check_architecture(const char *architecture, UtmError **error)
{
	if (!architecture)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "architecture must not be NULL");
	return utm__architecture_check(architecture, error);
}

static int check_query(UtmContext *ctx, const char *architecture, uint32_t flags, UtmError **error)
{
	if (flags & ~(uint32_t)UTM_HARDWARE_INSTALLED_ONLY)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "unknown flags: 0x%x", flags);
	if (!ctx && (flags & UTM_HARDWARE_INSTALLED_ONLY))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "a context is needed to look for an installed QEMU");
	return check_architecture(architecture, error);
}

static int check_subject(UtmContext *ctx, const char *architecture, UtmHardwareKind kind, const char *name, UtmError **error)
{
	bool has_properties = kind == UTM_HARDWARE_MACHINE || kind == UTM_HARDWARE_DISPLAY || kind == UTM_HARDWARE_NETWORK ||
	                      kind == UTM_HARDWARE_SOUND;

	if (!ctx || !name || !*name || strlen(name) > UTM_HARDWARE_TEXT_MAX || !g_utf8_validate(name, -1, NULL))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "a context and the name of a machine type or device are needed");
	if (!has_properties)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "%d is no kind of machine types or devices", (int)kind);
	return check_architecture(architecture, error);
}

static int run_query(UtmContext *ctx, Query *query_taken, UtmHardware **ret_hardware, UtmError **error)
{
	g_autoptr(UtmRequest) request = utm__request_new_in(ctx, "asking QEMU what it has", QUERY_MS, NULL);
	utm__request_set_input(request, query_taken, query_free);
	int code = utm__request_run(request, start_query, error);
	if (code == 0)
		*ret_hardware = utm__request_steal_result(request);
	return code;
}

int utm_hardware_query(UtmContext *ctx, const char *architecture, uint32_t flags, UtmHardware **ret_hardware,
                       UtmError **error)
{
	if (!ret_hardware)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "ret_hardware must not be NULL");
	int code = check_query(ctx, architecture, flags, error);
	if (code < 0)
		return code;
	if (!ctx) {
		*ret_hardware = utm__hardware_from_snapshot(architecture);
		return *ret_hardware ? 0 : utm__fail(error, UTM_ERROR_NOT_FOUND, "nothing is known of %s", architecture);
	}
	Query query = { .architecture = g_strdup(architecture), .installed_only = flags & UTM_HARDWARE_INSTALLED_ONLY };
	return run_query(ctx, g_memdup2(&query, sizeof query), ret_hardware, error);
}

int utm_hardware_query_properties(UtmContext *ctx, const char *architecture, UtmHardwareKind kind, const char *name,
                                  UtmHardware **ret_hardware, UtmError **error)
{
	if (!ret_hardware)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "ret_hardware must not be NULL");
	int code = check_subject(ctx, architecture, kind, name, error);
	if (code < 0)
		return code;
	Query query = { g_strdup(architecture), true, kind, g_strdup(name), NULL };
	return run_query(ctx, g_memdup2(&query, sizeof query), ret_hardware, error);
}

static void deliver_query(UtmRequest *request, UtmCallback *callback)
{
	if (callback->fn)
		((UtmHardwareFunc)callback->fn)(utm__request_get_context(request), utm__request_steal_result(request),
		                                utm__request_get_error(request), callback->user_data);
}

static int submit_query(UtmContext *ctx, const Query *query, UtmHardwareFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	g_autoptr(UtmRequest) request = utm__request_new_in(ctx, "asking QEMU what it has", QUERY_MS, NULL);
	utm__request_set_input(request, g_memdup2(query, sizeof *query), query_free);
	utm__request_submit(request, start_query, deliver_query, utm__callback_new(ctx, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}

static int refuse(int code, void *user_data, UtmFreeFunc free_fn)
{
	if (free_fn)
		free_fn(user_data);
	return code;
}

int utm_hardware_query_async(UtmContext *ctx, const char *architecture, uint32_t flags, UtmHardwareFunc fn,
                             void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	int code = ctx ? check_query(ctx, architecture, flags, error)
	               : utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "context must not be NULL");

	if (code < 0)
		return refuse(code, user_data, free_fn);
	Query query = { .architecture = g_strdup(architecture), .installed_only = flags & UTM_HARDWARE_INSTALLED_ONLY };
	return submit_query(ctx, &query, fn, user_data, free_fn);
}

int utm_hardware_query_properties_async(UtmContext *ctx, const char *architecture, UtmHardwareKind kind, const char *name,
                                        UtmHardwareFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	int code = check_subject(ctx, architecture, kind, name, error);

	if (code < 0)
		return refuse(code, user_data, free_fn);
	Query query = { g_strdup(architecture), true, kind, g_strdup(name), NULL };
	return submit_query(ctx, &query, fn, user_data, free_fn);
}

/* --- reading --- */

UtmHardware *utm_hardware_ref(UtmHardware *hardware)
{
	if (hardware)
		g_atomic_int_inc(&hardware->refs);
	return hardware;
}

void utm_hardware_unref(UtmHardware *hardware)
{
	if (!hardware || !g_atomic_int_dec_and_test(&hardware->refs))
		return;
	for (gsize i = 0; i < UTM_HARDWARE_KINDS; i++)
		g_array_unref(hardware->lists[i]);
	g_string_chunk_free(hardware->texts);
	g_free(hardware->ledger);
	g_free(hardware->architecture);
	g_free(hardware->path);
	g_free(hardware->version);
	g_free(hardware);
}

const char *utm_hardware_get_architecture(const UtmHardware *hardware)
{
	return hardware ? hardware->architecture : NULL;
}

const char *utm_hardware_get_qemu_version(const UtmHardware *hardware)
{
	return hardware ? hardware->version : NULL;
}

const char *utm_hardware_get_qemu_path(const UtmHardware *hardware)
{
	return hardware ? hardware->path : NULL;
}

size_t utm_hardware_get_count(const UtmHardware *hardware, UtmHardwareKind kind)
{
	return hardware && (guint)kind < UTM_HARDWARE_KINDS ? hardware->lists[kind]->len : 0;
}

const UtmHardwareItem *utm_hardware_get(const UtmHardware *hardware, UtmHardwareKind kind, size_t index)
{
	if (index >= utm_hardware_get_count(hardware, kind))
		return NULL;
	return &g_array_index(hardware->lists[kind], UtmHardwareItem, index);
}

const UtmHardwareItem *utm_hardware_find(const UtmHardware *hardware, UtmHardwareKind kind, const char *name)
{
	size_t count = name ? utm_hardware_get_count(hardware, kind) : 0;

	for (size_t i = 0; i < count; i++) {
		const UtmHardwareItem *item = utm_hardware_get(hardware, kind, i);

		if (!strcmp(item->name, name) || !g_strcmp0(item->alias, name))
			return item;
	}
	return NULL;
}
