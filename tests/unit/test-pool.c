/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of large answers: each part lives as long as it is wanted, whatever becomes of the others. */
#include "base/pool.h"

#include <pthread.h>
#include <string.h>
#include <utm/qmp-commands.h>

#define PARTS 20000
#define THREADS 4

static void test_parts_do_not_overlap(void)
{
	UtmPool pool = { 0 };
	char *parts[PARTS];
	for (gsize i = 0; i < PARTS; i++) {
		gsize size = i % 90 + 1;
		bool is_text = i % 3;
		parts[i] = is_text ? utm__pool_take_text(&pool, size) : utm__pool_take(&pool, size);
		g_assert_cmpuint((gsize)parts[i] % (is_text ? 2 : 8), ==, is_text);
		for (gsize at = 0; at < size && !is_text; at++)
			g_assert_cmpint(parts[i][at], ==, 0);
		memset(parts[i], (int)(i % 251), size);
	}
	utm__pool_close(&pool);
	for (gsize i = 0; i < PARTS; i++) {
		gsize which = i * 7919 % PARTS; /* in no order */
		for (gsize at = 0; at < which % 90 + 1; at++)
			g_assert_cmpuint((guchar)parts[which][at], ==, which % 251);
		if (which % 3)
			utm__text_free(parts[which]);
		else
			utm__pool_give(parts[which]);
	}
}

static void test_what_is_too_large(void)
{
	UtmPool pool = { 0 };
	g_assert_null(utm__pool_take(&pool, 1 << 20));
	g_assert_null(utm__pool_take_text(&pool, 1 << 20));
	utm__pool_close(&pool);
	utm__text_free(NULL);
	utm__text_free(g_strdup("not of a pool"));
}

typedef struct Giver {
	pthread_t thread;
	char **texts;
	gsize first;
} Giver;

static void *give(void *data)
{
	Giver *giver = data;
	for (gsize i = giver->first; i < PARTS; i += THREADS)
		utm__text_free(giver->texts[i]);
	return NULL;
}

/* Also while others are still being taken. */
static void test_given_back_by_several_threads(void)
{
	UtmPool pool = { 0 };
	Giver givers[THREADS];
	g_autofree char **texts = g_new(char *, PARTS);
	for (gsize i = 0; i < PARTS; i++)
		texts[i] = utm__pool_take_text(&pool, 24);
	for (gsize i = 0; i < THREADS; i++) {
		givers[i] = (Giver){ .texts = texts, .first = i };
		pthread_create(&givers[i].thread, NULL, give, &givers[i]);
	}
	for (gsize i = 0; i < PARTS; i++)
		utm__text_free(utm__pool_take_text(&pool, 24));
	utm__pool_close(&pool);
	for (gsize i = 0; i < THREADS; i++)
		pthread_join(givers[i].thread, NULL);
}

/* --- an answer that is large enough --- */

static UtmQmpCommandInfoList *read_commands(guint count)
{
	g_autoptr(GString) text = g_string_new("[");
	for (guint i = 0; i < count; i++)
		g_string_append_printf(text, "%s{\"name\":\"command-%u\"}", i ? "," : "", i);
	g_string_append_c(text, ']');
	UtmQmpCommandInfoList *list = NULL;
	g_assert_cmpint(utm_qmp_command_info_list_from_json(text->str, &list, NULL), ==, 0);
	return list;
}

static void test_a_large_answer_is_as_any_other(void)
{
	UtmQmpCommandInfoList *list = read_commands(5000), *copy = utm_qmp_command_info_list_copy(list);
	char *a = NULL, *b = NULL;
	g_assert_true(utm_qmp_command_info_list_equal(list, copy));
	g_assert_cmpint(utm_qmp_command_info_list_to_json(list, &a, NULL), ==, 0);
	utm_qmp_command_info_list_free(list);
	g_assert_cmpint(utm_qmp_command_info_list_to_json(copy, &b, NULL), ==, 0);
	g_assert_cmpstr(a, ==, b);
	utm_qmp_command_info_list_free(copy);
	utm_free(a);
	utm_free(b);
}

static void test_parts_of_an_answer_live_on(void)
{
	UtmQmpCommandInfoList *list = read_commands(5000);
	UtmQmpCommandInfo *kept = list->items[77];
	char *name = list->items[4000]->name;
	list->items[77] = NULL;
	list->items[4000]->name = NULL;
	utm_set_string(&list->items[3]->name, "another");
	utm_set_string(&list->items[4]->name, NULL);
	g_assert_cmpstr(list->items[3]->name, ==, "another");
	utm_qmp_command_info_list_free(list);
	g_assert_cmpstr(kept->name, ==, "command-77");
	g_assert_cmpstr(name, ==, "command-4000");
	utm_set_string(&kept->name, "renamed");
	utm_qmp_command_info_free(kept);
	utm_free(name);
}

static void test_a_copy_by_value_is_refused(void)
{
	UtmQmpCommandInfoList *list = read_commands(5000);
	UtmQmpCommandInfo copy = *list->items[0];
	char *json = NULL;
	g_assert_cmpint(utm_qmp_command_info_to_json(&copy, &json, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	utm_qmp_command_info_free(&copy);
	g_assert_cmpstr(list->items[0]->name, ==, "command-0");
	utm_qmp_command_info_list_free(list);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pool/parts", test_parts_do_not_overlap);
	g_test_add_func("/pool/too-large", test_what_is_too_large);
	g_test_add_func("/pool/threads", test_given_back_by_several_threads);
	g_test_add_func("/pool/answer", test_a_large_answer_is_as_any_other);
	g_test_add_func("/pool/answer/parts-live-on", test_parts_of_an_answer_live_on);
	g_test_add_func("/pool/answer/copy-by-value", test_a_copy_by_value_is_refused);
	return g_test_run();
}
