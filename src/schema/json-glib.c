/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Free-form values to and from json-glib's trees. A tree comes in through its text: so the one reader, with its bounds, is the
 * only way to make a value of what is foreign.
 */
#include <string.h>
#include <utm/json-glib.h>

static JsonNode *container_node(const UtmValue *value)
{
	bool is_object = utm_value_get_kind(value) == UTM_VALUE_OBJECT;
	JsonNode *node = json_node_new(is_object ? JSON_NODE_OBJECT : JSON_NODE_ARRAY);
	JsonObject *object = is_object ? json_object_new() : NULL;
	JsonArray *array = is_object ? NULL : json_array_new();
	for (size_t i = 0; i < utm_value_get_count(value); i++) {
		JsonNode *child = utm_value_dup_json_node(utm_value_get_item(value, i));
		if (is_object)
			json_object_set_member(object, utm_value_get_key(value, i), child);
		else
			json_array_add_element(array, child);
	}
	if (is_object)
		json_node_take_object(node, object);
	else
		json_node_take_array(node, array);
	return node;
}

JsonNode *utm_value_dup_json_node(const UtmValue *value)
{
	JsonNode *node = json_node_alloc();
	switch (utm_value_get_kind(value)) {
	case UTM_VALUE_BOOL:
		return json_node_init_boolean(node, utm_value_get_bool(value));
	case UTM_VALUE_INT:
		return json_node_init_int(node, utm_value_get_int(value));
	case UTM_VALUE_UINT:
	case UTM_VALUE_NUMBER:
		return json_node_init_double(node, utm_value_get_number(value));
	case UTM_VALUE_STRING:
		return json_node_init_string(node, utm_value_get_string(value));
	case UTM_VALUE_ARRAY:
	case UTM_VALUE_OBJECT:
		json_node_free(node);
		return container_node(value);
	default:
		return json_node_init_null(node);
	}
}

int utm_value_from_json_node(JsonNode *node, UtmValue **ret_value, UtmError **error)
{
	g_autofree char *text = node ? json_to_string(node, FALSE) : NULL;
	return utm_value_from_json(text, ret_value, error);
}
