/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Framing: the end of a message and its compact form are the same however the bytes come in pieces. */
#include "qmp/framer.h"

#include <string.h>

/* What comes out of `text` given in pieces of this size: messages, each ended by |, then ! when it is bad. */
static char *run(const char *text, gsize piece)
{
	GString *result = g_string_new(NULL);
	UtmQmpFramer framer = { 0 };
	const char *end = text + strlen(text);
	for (const char *from = text; from < end;) {
		const char *piece_end = MIN(from + piece, end);
		g_autofree char *out = g_malloc(piece);
		char *to = out;
		UtmQmpFrame frame = utm__qmp_framer_run(&framer, &from, piece_end, &to);
		g_string_append_len(result, out, to - out);
		if (frame == UTM_QMP_FRAME_BAD) {
			g_string_append_c(result, '!');
			break;
		}
		if (frame == UTM_QMP_FRAME_WHOLE)
			g_string_append_c(result, '|');
		else
			g_assert_true(from == piece_end);
	}
	return g_string_free(result, FALSE);
}

static void test_frames(void)
{
	static const struct {
		const char *text, *frames;
	} cases[] = {
		{ "{}", "{}|" },
		{ " \r\n{ }\r\n", "{}|" },
		{ "{}{}\n{\"a\" : [ 1 , 2 ] }", "{}|{}|{\"a\":[1,2]}|" },
		{ "{\"a b\": \" } \\\" { \\\\\"}", "{\"a b\":\" } \\\" { \\\\\"}|" },
		{ "{\"\\\\\":\"\\\"\"}x", "{\"\\\\\":\"\\\"\"}|x!" },
		{ "{\"a\": true , \"b\": -1.5e+3}", "{\"a\":true,\"b\":-1.5e+3}|" },
		{ "{\"a\": 1 2}", "{\"a\":12!" },
		{ "{\"a\": tr ue}", "{\"a\":tru!" },
		{ "[]", "[!" },
		{ "}", "}!" },
		{ "x", "x!" },
		{ "\"", "\"!" },
		{ "{'a'", "{'!" },
		{ "{\x01", "{\x01!" },
		{ "{\xff", "{\xff!" },
		{ "{\"\xff\x01\"}", "{\"\xff\x01\"}|" },
		/* Brackets of the wrong kind are the reader's business. */
		{ "{]", "{]|" },
		{ "{\"a", "{\"a" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		for (gsize piece = 1; piece <= strlen(cases[i].text) + 1; piece++) {
			g_autofree char *frames = run(cases[i].text, piece);
			g_assert_cmpstr(frames, ==, cases[i].frames);
		}
}

static void test_depth(void)
{
	g_autoptr(GString) text = g_string_new("{\"a\":");
	for (int i = 1; i < UTM_QMP_DEPTH_MAX; i++)
		g_string_append_c(text, '[');
	g_autofree char *open = run(text->str, 4096);
	g_assert_cmpstr(open, ==, text->str);
	g_string_append_c(text, '[');
	g_autofree char *deeper = run(text->str, 4096);
	g_assert_true(g_str_has_suffix(deeper, "!"));
}

/* In place, as the transport uses it: the compact form trails behind what is read. */
static void test_in_place(void)
{
	char text[] = "  { \"a\" :\t\"b c\" ,\n \"d\" : { } } {}";
	UtmQmpFramer framer = { 0 };
	const char *from = text;
	char *to = text;
	g_assert_cmpint(utm__qmp_framer_run(&framer, &from, text + strlen(text), &to), ==, UTM_QMP_FRAME_WHOLE);
	g_assert_cmpstr(from, ==, " {}");
	*to = 0;
	g_assert_cmpstr(text, ==, "{\"a\":\"b c\",\"d\":{}}");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/framer/frames", test_frames);
	g_test_add_func("/qmp/framer/depth", test_depth);
	g_test_add_func("/qmp/framer/in-place", test_in_place);
	return g_test_run();
}
