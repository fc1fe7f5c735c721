/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ids: short, not reused at once, not reused while an answer is still owed, bounded. */
#include "qmp/slots.h"

static void test_goes_round(void)
{
	UtmQmpSlots slots;
	utm__qmp_slots_init(&slots);
	for (int i = 0; i < 35; i++) {
		int id = utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING);
		g_assert_cmpint(id, ==, i % 10);
		utm__qmp_slots_set(&slots, (guint)id, UTM_QMP_SLOT_FREE);
	}
	utm__qmp_slots_clear(&slots);
}

static void test_shortest_first(void)
{
	UtmQmpSlots slots;
	utm__qmp_slots_init(&slots);
	for (int i = 0; i < 12; i++)
		g_assert_cmpint(utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING), ==, i);
	utm__qmp_slots_set(&slots, 4, UTM_QMP_SLOT_ABANDONED);
	g_assert_cmpint(utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING), ==, 12);
	g_assert_cmpuint(slots.waiting, ==, 12);
	utm__qmp_slots_set(&slots, 4, UTM_QMP_SLOT_FREE);
	g_assert_cmpint(utm__qmp_slots_take(&slots, UTM_QMP_SLOT_LENT), ==, 4);
	g_assert_cmpuint(slots.waiting, ==, 12);
	utm__qmp_slots_clear(&slots);
}

static void test_bounded(void)
{
	UtmQmpSlots slots;
	utm__qmp_slots_init(&slots);
	for (int i = 0; i < UTM_QMP_SLOTS_MAX; i++)
		g_assert_cmpint(utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING), ==, i);
	g_assert_cmpint(utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING), ==, -1);
	utm__qmp_slots_set(&slots, 40000, UTM_QMP_SLOT_FREE);
	g_assert_cmpint(utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING), ==, 40000);
	utm__qmp_slots_clear(&slots);
}

static void test_tickets(void)
{
	UtmQmpSlots slots;
	utm__qmp_slots_init(&slots);
	int id = utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING);
	guint first = utm__qmp_slots_get_ticket(&slots, (guint)id);
	g_assert_cmpuint(first, !=, 0);
	g_assert_cmpint(utm__qmp_slots_find_ticket(&slots, first), ==, id);
	utm__qmp_slots_set(&slots, (guint)id, UTM_QMP_SLOT_FREE);
	g_assert_cmpint(utm__qmp_slots_find_ticket(&slots, first), ==, -1);
	for (int i = 0; i < 10; i++)
		utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING);
	/* The id is taken again, by another command. */
	g_assert_cmpint(utm__qmp_slots_get(&slots, id)->state, ==, UTM_QMP_SLOT_WAITING);
	g_assert_cmpint(utm__qmp_slots_find_ticket(&slots, first), ==, -1);
	g_assert_cmpint(utm__qmp_slots_find_ticket(&slots, 0), ==, -1);
	g_assert_cmpint(utm__qmp_slots_find_ticket(&slots, G_MAXUINT), ==, -1);
	utm__qmp_slots_clear(&slots);
}

static void test_foreign_ids(void)
{
	UtmQmpSlots slots;
	utm__qmp_slots_init(&slots);
	utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING);
	g_assert_nonnull(utm__qmp_slots_get(&slots, 0));
	g_assert_null(utm__qmp_slots_get(&slots, 1));
	g_assert_null(utm__qmp_slots_get(&slots, -1));
	g_assert_null(utm__qmp_slots_get(&slots, G_MAXINT64));
	utm__qmp_slots_clear(&slots);
}

/* What is under way counts from being sent to being free, whoever waits for it. */
static void test_under_way(void)
{
	UtmQmpSlots slots;
	utm__qmp_slots_init(&slots);
	for (guint i = 0; i < 4; i++)
		utm__qmp_slots_take(&slots, UTM_QMP_SLOT_WAITING);
	g_assert_false(utm__qmp_slots_get_oldest(&slots).sent);
	utm__qmp_slots_get(&slots, 2)->beside = true;
	utm__qmp_slots_get(&slots, 3)->exclusive = true;
	utm__qmp_slots_set_sent(&slots, 2, 10, 0, 0);
	utm__qmp_slots_set_sent(&slots, 1, 20, 0, 0);
	utm__qmp_slots_set_sent(&slots, 3, 30, 0, 0);
	g_assert_cmpuint(slots.in_band, ==, 2);
	g_assert_cmpuint(slots.exclusive, ==, 1);
	g_assert_cmpuint(utm__qmp_slots_get_oldest(&slots).end, ==, 20);
	utm__qmp_slots_set(&slots, 1, UTM_QMP_SLOT_ABANDONED);
	g_assert_cmpuint(utm__qmp_slots_get_oldest(&slots).end, ==, 20);
	for (guint i = 0; i < 4; i++)
		utm__qmp_slots_set(&slots, i, UTM_QMP_SLOT_FREE);
	g_assert_cmpuint(slots.in_band, ==, 0);
	g_assert_cmpuint(slots.exclusive, ==, 0);
	g_assert_false(utm__qmp_slots_get_oldest(&slots).sent);
	utm__qmp_slots_clear(&slots);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/slots/goes-round", test_goes_round);
	g_test_add_func("/qmp/slots/shortest-first", test_shortest_first);
	g_test_add_func("/qmp/slots/bounded", test_bounded);
	g_test_add_func("/qmp/slots/tickets", test_tickets);
	g_test_add_func("/qmp/slots/foreign-ids", test_foreign_ids);
	g_test_add_func("/qmp/slots/under-way", test_under_way);
	return g_test_run();
}
