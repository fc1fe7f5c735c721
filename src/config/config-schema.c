/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration's schema as programs see it. The tables are integers and one blob of text; what is asked for is put
 * together in the caller's struct, so that neither relocations nor memory stand behind it.
 */
#include "config/config-private.h"

#include "base/util.h"
#include "schema/path.h"

#include <string.h>
#include <utm/config-schema.h>

/* Above the size of any release: what is larger was never initialised. */
#define STRUCT_SIZE_MAX 4096

static const UtmSchema *const schema = &utm__config_schema;

/* Public numbers begin with 1. */
static uint32_t number_of(guint row)
{
	return row + 1;
}

static const UtmSchemaType *find_type(uint32_t type)
{
	return type >= 1 && type <= schema->type_count ? &schema->types[type - 1] : NULL;
}

/* NULL for what is not said. */
static const char *text_at(uint16_t offset)
{
	return offset ? utm__schema_string(schema, offset) : NULL;
}

/*
 * Into the caller's struct, which may be shorter or longer than ours. Both begin with their size; the caller's stays.
 */
static int hand_over(void *ret, const void *made, size_t size, const char *name, UtmError **error)
{
	size_t theirs;
	memcpy(&theirs, ret, sizeof theirs);
	if (theirs <= sizeof theirs || theirs > STRUCT_SIZE_MAX)
		return utm__fail(error, UTM_ERROR_STRUCT_SIZE, "%s.size is %zu, which is the size of no version of it", name, theirs);
	memset((char *)ret + sizeof theirs, 0, theirs - sizeof theirs);
	memcpy((char *)ret + sizeof theirs, (const char *)made + sizeof theirs, MIN(theirs, size) - sizeof theirs);
	return 0;
}

/* The row that has something with this index. `output` must not be NULL. */
static int find_row(uint32_t type, UtmSchemaKind kind, size_t index, const void *output, const UtmSchemaType **ret_row,
                    UtmError **error)
{
	const UtmSchemaType *row = find_type(type);
	bool is_enum = kind == UTM_SCHEMA_ENUM;
	if (!output)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "there is nowhere to put the answer");
	if (!row || row->kind != kind)
		return utm__fail(error, UTM_ERROR_NOT_FOUND, "%" G_GUINT32_FORMAT " is no %s", type,
		                 is_enum ? "enumeration" : "section");
	if (index >= row->count)
		return utm__fail(error, UTM_ERROR_NOT_FOUND, "%s has only %u %s", utm__schema_string(schema, row->name),
		                 row->count, is_enum ? "values" : "keys");
	*ret_row = row;
	return 0;
}

/* --- types and values --- */

uint32_t utm_config_schema_get_root(UtmBackend backend)
{
	if (backend == UTM_BACKEND_QEMU)
		return number_of(UTM_CONFIG_SCHEMA_QEMU);
	return backend == UTM_BACKEND_APPLE ? number_of(UTM_CONFIG_SCHEMA_APPLE) : 0;
}

int utm_config_schema_get_type(uint32_t type, UtmConfigType *ret_type, UtmError **error)
{
	const UtmSchemaType *row = find_type(type);
	if (!ret_type)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "there is nowhere to put the answer");
	if (!row)
		return utm__fail(error, UTM_ERROR_NOT_FOUND, "%" G_GUINT32_FORMAT " is no type", type);
	UtmConfigType made = {
		.name = text_at(row->name),
		.doc = text_at(row->doc),
		.is_enum = row->kind == UTM_SCHEMA_ENUM,
		.count = row->count,
	};
	return hand_over(ret_type, &made, sizeof made, "UtmConfigType", error);
}

int utm_config_schema_get_value(uint32_t type, size_t index, UtmConfigValue *ret_value, UtmError **error)
{
	const UtmSchemaType *row;
	int result = find_row(type, UTM_SCHEMA_ENUM, index, ret_value, &row, error);
	if (result < 0)
		return result;
	const UtmSchemaValueForm *form = &schema->value_forms[row->first + index];
	UtmConfigValue made = {
		.text = utm__schema_string(schema, schema->values[row->first + index]),
		.doc = text_at(form->doc),
		.architectures = text_at(form->architectures),
	};
	return hand_over(ret_value, &made, sizeof made, "UtmConfigValue", error);
}

/* --- keys --- */

static UtmConfigKind kind_of(const UtmSchemaMember *member)
{
	static const UtmConfigKind kinds[] = {
		[UTM_SCHEMA_BOOL] = UTM_CONFIG_KIND_BOOL,      [UTM_SCHEMA_INT] = UTM_CONFIG_KIND_INT,
		[UTM_SCHEMA_NUMBER] = UTM_CONFIG_KIND_NUMBER,  [UTM_SCHEMA_STRING] = UTM_CONFIG_KIND_STRING,
		[UTM_SCHEMA_ANY] = UTM_CONFIG_KIND_DATA,       [UTM_SCHEMA_ENUM] = UTM_CONFIG_KIND_ENUM,
		[UTM_SCHEMA_STRUCT] = UTM_CONFIG_KIND_SECTION,
	};
	return member->flags & UTM_SCHEMA_UUID ? UTM_CONFIG_KIND_UUID : kinds[member->kind];
}

static bool has_fact(const UtmSchemaMember *member, UtmSchemaFactKind what)
{
	return utm__schema_find_fact(schema, member, what) != NULL;
}

static bool take_limit(const UtmSchemaMember *member, UtmSchemaFactKind what, int64_t *ret_limit)
{
	const UtmSchemaFact *fact = utm__schema_find_fact(schema, member, what);
	if (fact)
		*ret_limit = schema->numbers[fact->value];
	return fact != NULL;
}

/* A condition that holds for no value at all is how the schema says never. */
static bool is_obsolete(const UtmSchemaMember *member)
{
	const UtmSchemaFact *fact = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_WRITE_IF);
	const UtmSchemaCondition *condition = fact ? &schema->conditions[fact->condition] : NULL;
	bool never = condition && condition->op == UTM_SCHEMA_IF_IN && condition->count == 0;
	return never || has_fact(member, UTM_SCHEMA_FACT_FORGET);
}

static UtmConfigKey describe(const UtmSchemaMember *member)
{
	const UtmSchemaForm *form = &schema->forms[member - schema->members];
	const UtmSchemaFact *unit = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_UNIT);
	bool has_type = member->kind == UTM_SCHEMA_ENUM || member->kind == UTM_SCHEMA_STRUCT;
	UtmConfigKey key = {
		.name = text_at(member->name),
		.old_name = text_at(member->old_name),
		.doc = text_at(member->doc),
		.unit = unit ? text_at(unit->value) : NULL,
		.format = text_at(form->format),
		.default_json = text_at(form->default_json),
		.default_if = text_at(form->default_if),
		.new_json = text_at(form->new_json),
		.used_if = text_at(form->used_if),
		.required_if = text_at(form->required_if),
		.architectures = text_at(form->architectures),
		.kind = kind_of(member),
		.type = has_type ? number_of(member->type) : 0,
		.is_array = member->flags & UTM_SCHEMA_ARRAY,
		.is_optional = member->flags & UTM_SCHEMA_OPTIONAL,
		.is_fixed = member->flags & UTM_SCHEMA_FIXED,
		.is_generated =
			has_fact(member, UTM_SCHEMA_FACT_GENERATE_UUID) || has_fact(member, UTM_SCHEMA_FACT_GENERATE_MAC),
		.is_obsolete = is_obsolete(member),
	};
	key.has_min = take_limit(member, UTM_SCHEMA_FACT_MIN, &key.min);
	key.has_max = take_limit(member, UTM_SCHEMA_FACT_MAX, &key.max);
	return key;
}

int utm_config_schema_get_key(uint32_t type, size_t index, UtmConfigKey *ret_key, UtmError **error)
{
	const UtmSchemaType *row;
	int result = find_row(type, UTM_SCHEMA_STRUCT, index, ret_key, &row, error);
	if (result < 0)
		return result;
	UtmConfigKey made = describe(utm__schema_member(schema, row, (guint)index));
	return hand_over(ret_key, &made, sizeof made, "UtmConfigKey", error);
}

int utm_config_schema_find_key(UtmBackend backend, const char *key_path, UtmConfigKey *ret_key, UtmError **error)
{
	uint32_t root = utm_config_schema_get_root(backend);
	UtmPlace place;
	if (!root || !key_path || !ret_key)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no back end, no key path, or nowhere to put the answer");
	if (!*key_path)
		return utm__fail(error, UTM_ERROR_KEY_PATH, "the key path is empty");
	int result = utm__path_find_key(schema, root - 1, key_path, &place, error);
	if (result < 0)
		return result;
	UtmConfigKey made = describe(place.member);
	if (place.is_element) {
		made.is_array = made.is_optional = false;
		made.default_json = made.new_json = NULL;
	}
	return hand_over(ret_key, &made, sizeof made, "UtmConfigKey", error);
}

/* --- what has an effect --- */

static const void *root_of(const UtmConfig *config)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	return qemu ? (const void *)qemu : utm__config_get_apple(config);
}

static const char *architecture_of(const UtmConfig *config)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	return qemu ? utm__config_architecture_get_text(qemu->system->architecture)
	            : utm__config_get_apple(config)->system->architecture;
}

/* Of this key alone, not of the sections above it. */
static bool is_place_used(const UtmPlace *place, const char *architecture)
{
	const UtmSchemaFact *write_if = utm__schema_find_fact(schema, place->member, UTM_SCHEMA_FACT_WRITE_IF);
	const UtmSchemaFact *write_as = utm__schema_find_fact(schema, place->member, UTM_SCHEMA_FACT_WRITE_AS);
	const char *architectures = text_at(schema->forms[place->member - schema->members].architectures);
	return place->object && !is_obsolete(place->member) &&
	       (!write_if || utm__schema_holds(schema, write_if, place->object)) &&
	       (!write_as || utm__schema_holds(schema, write_as, place->object)) &&
	       (!architectures || utm__has_word(architectures, architecture ? architecture : ""));
}

int utm_config_is_used(const UtmConfig *config, const char *key_path, bool *ret_used, UtmError **error)
{
	UtmPlace place;
	if (!config || !key_path || !ret_used)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "configuration, key path and ret_used must not be NULL");
	if (!*key_path)
		return utm__fail(error, UTM_ERROR_KEY_PATH, "the key path is empty");
	const void *root = root_of(config);
	int result = utm__path_find(schema, root, key_path, &place, error);
	if (result < 0)
		return result;
	const char *architecture = architecture_of(config);
	bool used = is_place_used(&place, architecture);
	for (const char *dot = strchr(key_path, '.'); used && dot; dot = strchr(dot + 1, '.')) {
		g_autofree char *above = g_strndup(key_path, (gsize)(dot - key_path));
		used = utm__path_find(schema, root, above, &place, NULL) == 0 && is_place_used(&place, architecture);
	}
	*ret_used = used;
	return 0;
}
