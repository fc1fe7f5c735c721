/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index of what a QEMU has: types that honest QEMUs do not send. They refer to themselves, to nothing, are there twice,
 * or are too many. Each question and each check has to end, and what is not known is allowed.
 */
#include "qmp/introspection-private.h"

#include <string.h>

/* ' for " */
static UtmIntrospection *make(const char *text)
{
	UtmIntrospection *index = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');
	if (utm__introspection_new(json, strlen(json), &index, &error) < 0)
		g_error("%s", utm_error_get_message(error));
	return index;
}

static int make_fails(const char *json, gsize size)
{
	UtmIntrospection *index = NULL;
	g_autoptr(UtmError) error = NULL;
	int result = utm__introspection_new(json, size, &index, &error);
	g_assert_null(index);
	g_assert_cmpint(utm_error_get_code(error), ==, result);
	return result;
}

static void assert_has(const UtmIntrospection *index, const char *what, bool expected)
{
	g_assert_cmpint(utm__introspection_check_question(what, NULL), ==, 0);
	if (utm__introspection_has(index, what) != expected)
		g_error("%s: %s", what, expected ? "no" : "yes");
}

/* `path` NULL: nothing is wrong. */
static void assert_check(const UtmIntrospection *index, const char *arguments, const char *path, const char *message)
{
	g_autofree char *json = g_strdelimit(g_strdup(arguments), "'", '"');
	g_autoptr(UtmError) error = NULL;
	int result = utm__introspection_check(index, "c", json, 10000002, &error);
	g_assert_cmpint(result, ==, path ? UTM_ERROR_QMP_UNSUPPORTED : 0);
	g_assert_cmpstr(error ? utm_error_get_key_path(error) : NULL, ==, path);
	g_assert_cmpstr(error ? utm_error_get_message(error) : NULL, ==, message);
}

#define COMMAND "{'name':'c','meta-type':'command','arg-type':'a','ret-type':'a'}"
#define TEXT "{'name':'text','meta-type':'builtin','json-type':'string'}"

static void test_kinds(void)
{
	g_autoptr(UtmIntrospection) index = make(
		"[" COMMAND "," TEXT ",{'name':'a','meta-type':'object','members':["
		"{'name':'n','type':'number'},{'name':'b','type':'flag'},{'name':'z','type':'null'},{'name':'v','type':'any'},"
		"{'name':'s','type':'text'},{'name':'l','type':'[text]'},{'name':'e','type':'enum'},{'name':'o','type':'old'},"
		"{'name':'x','type':'either'}]},"
		"{'name':'number','meta-type':'builtin','json-type':'number'},{'name':'flag','meta-type':'builtin','json-type':'boolean'},"
		"{'name':'null','meta-type':'builtin','json-type':'null'},{'name':'any','meta-type':'builtin','json-type':'value'},"
		"{'name':'[text]','meta-type':'array','element-type':'text'},"
		"{'name':'enum','meta-type':'enum','values':['p'],'members':[{'name':'p'},{'name':'q','features':['f','g']}]},"
		"{'name':'old','meta-type':'enum','values':['p']},"
		"{'name':'either','meta-type':'alternate','members':[{'type':'[text]'},{'type':'enum'},{'type':'null'}]}]");
	assert_check(index, "{'n':1,'b':true,'z':null,'v':{'w':[1,{}]},'s':'','l':['m'],'e':'q','o':'p','x':null}", NULL, NULL);
	assert_check(index, "{'n':-1.5e3,'l':[],'x':'p'}", NULL, NULL);
	assert_check(index, "{'x':['p']}", NULL, NULL);
	assert_check(index, "{'n':'1'}", "n", "c of this QEMU (10.0.2) takes no string here");
	assert_check(index, "{'b':1}", "b", "c of this QEMU (10.0.2) takes no number here");
	assert_check(index, "{'s':null}", "s", "c of this QEMU (10.0.2) takes no null here");
	assert_check(index, "{'l':['m',true]}", "l[1]", "c of this QEMU (10.0.2) takes no boolean here");
	assert_check(index, "{'e':['q']}", "e", "c of this QEMU (10.0.2) takes no list here");
	assert_check(index, "{'x':{}}", "x", "c of this QEMU (10.0.2) takes no object here");
	assert_check(index, "{'x':'r'}", "x", "c of this QEMU (10.0.2) does not have the value \"r\"");
	assert_check(index, "{'o':'q'}", "o", "c of this QEMU (10.0.2) does not have the value \"q\"");
	assert_check(index, "{'v':1,'y':1,'z':1}", "y", "c of this QEMU (10.0.2) does not have it");
	assert_has(index, "c.x=q#g", true);
	assert_has(index, "c:x=q#h", false);
	assert_has(index, "c.e=p#f", false);
	assert_has(index, "c.o=p", true);
}

/* A long value of many bytes is cut between characters. */
static void test_long_value(void)
{
	g_autoptr(UtmIntrospection) index = make("[" COMMAND ",{'name':'a','meta-type':'object','members':[{'name':'e','type':'e'}]},"
	                                         "{'name':'e','meta-type':'enum','values':[]}]");
	GString *arguments = g_string_new("{\"e\":\"");
	for (int i = 0; i < 300; i++)
		g_string_append(arguments, "\xc3\xa4");
	g_string_append(arguments, "\"}");
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm__introspection_check(index, "c", arguments->str, 0, &error), ==, UTM_ERROR_QMP_UNSUPPORTED);
	g_assert_true(g_utf8_validate(utm_error_get_message(error), -1, NULL));
	g_assert_cmpuint(strlen(utm_error_get_message(error)), <, 250);
	g_assert_true(g_str_has_suffix(utm_error_get_message(error), "...\""));
	g_string_free(arguments, TRUE);
}

#define UNION                                                                                                        \
	"{'name':'a','meta-type':'object','tag':'t','members':[{'name':'t','type':'e'},{'name':'own','type':'text'}],"\
	"'variants':[{'case':'x','type':'x'},{'case':'y','type':'y'},{'case':'lost','type':'nowhere'}]},"             \
	"{'name':'e','meta-type':'enum','values':['x','y','lost','bare']},"                                          \
	"{'name':'x','meta-type':'object','members':[{'name':'in-x','type':'text'}]},"                               \
	"{'name':'y','meta-type':'object','tag':'t2','members':[{'name':'t2','type':'e'}],"                          \
	"'variants':[{'case':'x','type':'x'}],'features':['fy']}"

/* Flat unions within unions; the tag may come last. */
static void test_unions(void)
{
	g_autoptr(UtmIntrospection) index = make("[" COMMAND "," TEXT "," UNION "]");
	assert_check(index, "{'in-x':'','own':'','t':'x'}", NULL, NULL);
	assert_check(index, "{'in-x':'','t':'y','t2':'x'}", NULL, NULL);
	assert_check(index, "{'in-x':'','t':'bare'}", "in-x", "c of this QEMU (10.0.2) does not have it");
	assert_check(index, "{'in-x':'','t':'y','t2':'y'}", "in-x", "c of this QEMU (10.0.2) does not have it");
	assert_check(index, "{'in-x':1,'t':'x'}", "in-x", "c of this QEMU (10.0.2) takes no number here");
	assert_check(index, "{'a':'','t':'new'}", "t", "c of this QEMU (10.0.2) does not have the value \"new\"");
	assert_check(index, "{'a':'','t':'y','t2':'new'}", "t2", "c of this QEMU (10.0.2) does not have the value \"new\"");
	assert_check(index, "{'own':''}", NULL, NULL);
	assert_check(index, "{'t':7}", "t", "c of this QEMU (10.0.2) takes no number here");
	/* The branch is not in the answer: any member may be its. */
	assert_check(index, "{'anything':{},'t':'lost'}", NULL, NULL);
	assert_has(index, "c.in-x", true);
	assert_has(index, "c.t=x.in-x", true);
	assert_has(index, "c.t=y.in-x", true);
	assert_has(index, "c.t=y.t2=y.in-x", false);
	assert_has(index, "c.t=bare.in-x", false);
	assert_has(index, "c.t=bare.own", true);
	assert_has(index, "c.t=lost.own", true);
	assert_has(index, "c.t=lost.in-x", false);
	assert_has(index, "c.t=y#fy", true);
	assert_has(index, "c.t=x#fy", false);
}

static void test_cycles(void)
{
	static const char *const cycles[] = {
		"[" COMMAND ",{'name':'a','meta-type':'array','element-type':'a'}]",
		"[" COMMAND ",{'name':'a','meta-type':'alternate','members':[{'type':'a'}]}]",
		"[" COMMAND ",{'name':'a','meta-type':'alternate','members':[{'type':'b'},{'type':'b'}]},"
		"{'name':'b','meta-type':'alternate','members':[{'type':'a'},{'type':'a'}]}]",
		"[" COMMAND ",{'name':'a','meta-type':'object','tag':'t','members':[{'name':'t','type':'a'},{'name':'m','type':'a'}],"
		"'variants':[{'case':'v','type':'a'}]}]",
		"[" COMMAND ",{'name':'a','meta-type':'object','tag':'t','members':[],'variants':[{'case':'t','type':'a'}]}]",
		"[{'name':'c','meta-type':'command','arg-type':'c','ret-type':'c'}]",
		"[" COMMAND "]",
		"[" COMMAND ",{'name':'a'},{'name':'a','meta-type':'object','members':[{'name':'m','type':'nowhere'}]}]",
		"[" COMMAND ",{'name':'a','meta-type':'landscape','members':[{'name':'m','type':'a'}]}]",
		"[{'name':'c','meta-type':'command'}]",
		"[{'name':'c','meta-type':'command','arg-type':''},{'name':'','meta-type':'object','members':[{'name':''}]}]",
	};
	static const char *const questions[] = { "c", "c.m", "c.m.m.m", "c.t=v", "c.t=v.t=v.m", "c:m.m", "c.m=v", "c#f", "c.m#f" };
	static const char *const arguments[] = { "{}", "{'m':[[[[]]]]}", "{'t':'v','m':{'t':'v','m':{'t':'v'}}}", "{'t':'t'}" };
	for (gsize i = 0; i < G_N_ELEMENTS(cycles); i++) {
		g_autoptr(UtmIntrospection) index = make(cycles[i]);
		for (gsize k = 0; k < G_N_ELEMENTS(questions); k++)
			utm__introspection_has(index, questions[k]);
		for (gsize k = 0; k < G_N_ELEMENTS(arguments); k++) {
			g_autofree char *json = g_strdelimit(g_strdup(arguments[k]), "'", '"');
			utm__introspection_check(index, "c", json, 0, NULL);
		}
		assert_has(index, "c", true);
	}
}

/* What a build does not tell of is not held against anybody. */
static void test_unknown(void)
{
	g_autoptr(UtmIntrospection) empty = make("[]");
	g_autoptr(UtmIntrospection) dangling = make("[" COMMAND ",{'name':'a','meta-type':'object','members':["
	                                            "{'name':'m','type':'nowhere'},{'name':'n'}]}]");
	assert_has(empty, "c", false);
	assert_check(empty, "{'m':1}", NULL, NULL);
	assert_check(dangling, "{'m':{'x':[]},'n':'y'}", NULL, NULL);
	assert_check(dangling, "{'o':1}", "o", "c of this QEMU (10.0.2) does not have it");
	assert_has(dangling, "c.m", true);
	assert_has(dangling, "c.m.x", false);
}

/* A type may have the name of a command. Of two with one name the later counts. */
static void test_names(void)
{
	g_autoptr(UtmIntrospection) index = make("[" TEXT ",{'name':'c','meta-type':'object','members':[{'name':'first','type':'text'}]},"
	                                         "{'name':'c','meta-type':'command','arg-type':'c'},"
	                                         "{'name':'c','meta-type':'object','members':[{'name':'second','type':'text'}]},"
	                                         "{'name':'__org.qemu_x-y','meta-type':'event'}]");
	assert_has(index, "c.first", false);
	assert_has(index, "c.second", true);
	assert_has(index, "__org.qemu_x-y", true);
	assert_has(index, "__org.qemu_x-y.second", false);
	assert_has(index, "text", false);
}

/* ---------------------------------------------------------------- bounds */

/* `width` of the number between `before` and `after`, -1: no number. */
static int make_many(const char *begin, const char *before, int width, const char *after, guint count, const char *end)
{
	GString *json = g_string_new(begin);
	for (guint i = 0; i < count; i++) {
		g_string_append_printf(json, "%s%s", i ? "," : "", before);
		if (width >= 0)
			g_string_append_printf(json, "%0*u", width, i);
		g_string_append(json, after);
	}
	g_string_append(json, end);
	UtmIntrospection *index = NULL;
	int result = utm__introspection_new(json->str, json->len, &index, NULL);
	utm__introspection_unref(index);
	g_string_free(json, TRUE);
	return result;
}

static void test_bounds(void)
{
	static const struct {
		const char *begin, *before;
		int width;
		const char *after, *end;
		guint fit, too_many;
	} lists[] = {
		{ "[", "{\"name\":\"x", -1, "\"}", "]", 65535, 65536 },               /* entities */
		{ "[", "{\"name\":\"", 0, "\"}", "]", 65535, 65536 },                 /* their names */
		{ "[", "{\"name\":\"", 255, "\"}", "]", 4000, 5000 },                 /* long ones */
		{ "[", "{\"name\":\"", 256, "\"}", "]", 0, 1 },                       /* too long */
		{ "[{\"members\":[", "{\"name\":\"a", -1, "\"}", "]}]", 65535, 65536 },
		{ "[{\"members\":[", "\"", 0, "\"", "]}]", 65535, 65536 },
		{ "[{", "\"members\":[\"a", -1, "\"]", "}]", 65535, 65536 },          /* each time in vain */
		{ "[{\"features\":[", "\"a", -1, "\"", "]}]", 65534, 65535 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
		g_assert_cmpint(make_many(lists[i].begin, lists[i].before, lists[i].width, lists[i].after, lists[i].fit,
		                          lists[i].end), ==, 0);
		g_assert_cmpint(make_many(lists[i].begin, lists[i].before, lists[i].width, lists[i].after, lists[i].too_many,
		                          lists[i].end), ==, UTM_ERROR_LIMIT);
	}
}

/* Names that all want the same slot of the table: found by trial, as somebody who means harm would. */
static void test_collisions(void)
{
	GString *json = g_string_new("[{\"members\":[");
	guint found = 0;
	for (guint i = 0; found < 600; i++) {
		char name[16];
		int length = g_snprintf(name, sizeof name, "%u", i);
		guint hash = 2166136261u;
		for (int k = 0; k < length; k++)
			hash = (hash ^ (guchar)name[k]) * 16777619u;
		if (((hash ^ hash >> 15) & 8191) == 77)
			g_string_append_printf(json, "%s\"%s\"", found++ ? "," : "", name);
	}
	g_string_append(json, "]}]");
	g_assert_cmpint(make_fails(json->str, json->len), ==, UTM_ERROR_LIMIT);
	g_string_free(json, TRUE);
}

static void test_no_answer(void)
{
	static const char *const wrong[] = { "",      " ",         "{}",         "[",           "[{]",          "[{}",
		                             "[7]",   "[{\"a\"}]", "[{}]x",      "[{\"name\":1}]", "\xff",      "[{\"name\":\"\xff\"}]",
		                             "[null]", "[{}][{}]", "[{\"variants\":[1]}]", "[{\"features\":[\"a\",1]}]" };
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		g_assert_cmpint(make_fails(wrong[i], strlen(wrong[i])), ==, UTM_ERROR_QMP_MALFORMED);
	g_autofree char *deep = g_strnfill(100000, '[');
	g_assert_cmpint(make_fails(deep, 100000), ==, UTM_ERROR_QMP_MALFORMED);
	g_autofree char *below = g_strconcat("[{\"default\":", deep, NULL);
	g_assert_cmpint(make_fails(below, strlen(below)), ==, UTM_ERROR_QMP_MALFORMED);
}

/* Each beginning of a whole answer is none, and none of them leaks or reads too far. */
static void test_cut(void)
{
	g_autofree char *json = g_strdelimit(g_strdup("[" COMMAND "," TEXT "," UNION "]"), "'", '"');
	for (gsize size = 0; size < strlen(json); size++) {
		g_autofree char *copy = g_memdup2(json, size);
		g_assert_cmpint(make_fails(copy ? copy : "", size), ==, UTM_ERROR_QMP_MALFORMED);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/introspection/kinds", test_kinds);
	g_test_add_func("/introspection/long-value", test_long_value);
	g_test_add_func("/introspection/unions", test_unions);
	g_test_add_func("/introspection/cycles", test_cycles);
	g_test_add_func("/introspection/unknown", test_unknown);
	g_test_add_func("/introspection/names", test_names);
	g_test_add_func("/introspection/bounds", test_bounds);
	g_test_add_func("/introspection/collisions", test_collisions);
	g_test_add_func("/introspection/no-answer", test_no_answer);
	g_test_add_func("/introspection/cut", test_cut);
	return g_test_run();
}
