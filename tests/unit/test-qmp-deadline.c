/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Default deadlines: the generated table can be searched, and what is not in it is ordinary. */
#include "qmp/deadline.h"
#include "qmp/deadline-private.h"

#include <string.h>

static void test_sorted(void)
{
	g_assert_cmpuint(utm__deadline_count, >, 50);
	for (unsigned i = 0; i < utm__deadline_count; i++) {
		const UtmDeadlineEntry *entry = &utm__deadline_table[i];
		g_assert_true(i == 0 || strcmp(entry[-1].name, entry->name) < 0);
		g_assert_cmpint(utm__qmp_default_timeout_ms(entry->name), ==, entry->seconds * 1000);
	}
}

static void test_classes(void)
{
	g_assert_cmpint(utm__qmp_default_timeout_ms("query-status"), ==, 30000);
	g_assert_cmpint(utm__qmp_default_timeout_ms("no-such-command"), ==, 30000);
	g_assert_cmpint(utm__qmp_default_timeout_ms(""), ==, 30000);
	g_assert_cmpint(utm__qmp_default_timeout_ms("blockdev-add"), >=, 60000);
	g_assert_cmpint(utm__qmp_default_timeout_ms("human-monitor-command"), >=, 600000);
	g_assert_cmpint(utm__qmp_default_timeout_ms("guest-ping"), ==, 10000);
	g_assert_cmpint(utm__qmp_default_timeout_ms("guest-no-such-command"), ==, 10000);
	g_assert_cmpint(utm__qmp_default_timeout_ms("guest-fsfreeze-freeze"), >=, 60000);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/deadline/sorted", test_sorted);
	g_test_add_func("/qmp/deadline/classes", test_classes);
	return g_test_run();
}
