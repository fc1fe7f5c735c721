/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host facts as an object, and as JSON written by hand. */
#include "host/host-private.h"
#include "schema/json-codec.h"

#include <string.h>

struct UtmHost {
	gint refs;
	UtmHostFacts *facts;
};

static UtmHost *take_facts(UtmHostFacts *facts, uint32_t os)
{
	UtmHost *host = g_new0(UtmHost, 1);

	host->refs = 1;
	host->facts = facts;
	facts->system = os == UTM_HOST_OS_MACOS ? UTM_HOST_SYSTEM_MACOS : UTM_HOST_SYSTEM_LINUX;
	return host;
}

UtmHost *utm__host_new(uint32_t os)
{
	return take_facts(utm__host_facts_new(), os);
}

UtmHost *utm__host_copy(const UtmHost *host)
{
	UtmHost *copy = g_new0(UtmHost, 1);

	copy->refs = 1;
	copy->facts = utm__schema_copy(&utm__host_schema, host->facts);
	return copy;
}

UtmHost *utm_host_ref(UtmHost *host)
{
	if (host)
		g_atomic_int_inc(&host->refs);
	return host;
}

void utm_host_unref(UtmHost *host)
{
	if (!host || !g_atomic_int_dec_and_test(&host->refs))
		return;
	utm__host_facts_free(host->facts);
	g_free(host);
}

const UtmHostFacts *utm__host_get_facts(const UtmHost *host)
{
	return host->facts;
}

UtmHostFacts *utm__host_edit_facts(UtmHost *host)
{
	return host->facts;
}

int32_t utm__host_arguments(UtmContext *context)
{
	switch (utm__context_get_argument_policy(context)) {
	case UTM_ARGUMENT_POLICY_ALLOW:
		return UTM_HOST_ARGUMENTS_ALLOW;
	case UTM_ARGUMENT_POLICY_REFUSE:
		return UTM_HOST_ARGUMENTS_REFUSE;
	default:
		return UTM_HOST_ARGUMENTS_LIST;
	}
}

int32_t utm__host_stricter_arguments(UtmContext *context, int32_t arguments)
{
	int32_t policy = utm__host_arguments(context);

	if (arguments == UTM_HOST_ARGUMENTS_REFUSE || policy == UTM_HOST_ARGUMENTS_ALLOW)
		return arguments;
	return policy;
}

/* A host of which nothing is said is an ordinary one: a small PC with Debian, or an Apple computer of today. */
static void assume_typical(UtmHostFacts *facts, uint32_t os)
{
	bool mac = os == UTM_HOST_OS_MACOS;

	if (!facts->architecture)
		facts->architecture = g_strdup(mac ? "aarch64" : "x86_64");
	if (!facts->physical_cores)
		facts->physical_cores = mac ? 8 : 4;
	if (!facts->logical_cores)
		facts->logical_cores = facts->physical_cores;
	if (!facts->firmware_count && !mac)
		utm__firmware_assume(facts);
}

int utm_host_new_from_json(uint32_t os, const char *json, UtmHost **ret_host, UtmError **error)
{
	UtmHostFacts *facts = NULL;
	int code;

	if (!ret_host || os > UTM_HOST_OS_MACOS)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "a known operating system and a result are needed");
	if (!json)
		json = "{}";
	code =
		utm__json_decode(&utm__host_schema, UTM_HOST_SCHEMA_FACTS, json, strlen(json),
	                     UTM_SCHEMA_REFUSE_UNKNOWN | UTM_SCHEMA_COMPLETE | UTM_SCHEMA_STRICT, (void **)&facts, error);
	if (code < 0)
		return code;
	if (facts->utm_exact && os != UTM_HOST_OS_MACOS) {
		utm__host_facts_free(facts);
		return utm__fail_take(error, utm__error_set_key_path(utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE,
		                      "only the command line for macOS can be UTM's own"), "UtmExact"));
	}
	assume_typical(facts, os);
	*ret_host = take_facts(facts, os);
	return 0;
}

int utm_host_to_json(const UtmHost *host, char **ret_json, UtmError **error)
{
	if (!host || !ret_json)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "host and result are needed");
	return utm__json_encode(&utm__host_schema, host->facts, 0, true, ret_json, error);
}

/* --- what was found --- */

UtmHostFeature *utm__host_add_feature(UtmHostFeature ***list, size_t *count, const char *name, int32_t state,
                                      const char *reason_or_null)
{
	UtmHostFeature *feature = utm__host_feature_new();

	g_free(feature->name);
	feature->name = g_strdup(name);
	feature->state = state;
	feature->reason = g_strdup(reason_or_null);
	*list = g_renew(UtmHostFeature *, *list, *count + 1);
	(*list)[(*count)++] = feature;
	return feature;
}

typedef struct FeatureList {
	UtmHostFeature *const *items;
	size_t count;
} FeatureList;

static FeatureList get_list(const UtmHost *host, UtmHostItemKind kind)
{
	const UtmHostFacts *facts = host ? host->facts : NULL;

	if (!facts)
		return (FeatureList){ NULL, 0 };
	switch (kind) {
	case UTM_HOST_ITEM_QEMU:
		return (FeatureList){ facts->programs, facts->programs_count };
	case UTM_HOST_ITEM_ACCELERATOR:
		return (FeatureList){ facts->accelerators, facts->accelerators_count };
	case UTM_HOST_ITEM_AUDIO:
		return (FeatureList){ facts->audio_backends, facts->audio_backends_count };
	case UTM_HOST_ITEM_GRAPHICS:
		return (FeatureList){ facts->graphics, facts->graphics_count };
	case UTM_HOST_ITEM_TOOL:
		return (FeatureList){ facts->tools, facts->tools_count };
	}
	return (FeatureList){ NULL, 0 };
}

size_t utm_host_get_item_count(const UtmHost *host, UtmHostItemKind kind)
{
	return get_list(host, kind).count;
}

static int read_item(const UtmHostFeature *found, UtmHostItem *ret_item, UtmError **error)
{
	UtmHostItem item = {
		.size = sizeof(item),
		.state = (uint32_t)MAX(found->state, 0),
		.name = found->name,
		.reason = found->reason,
		.path = found->path,
		.version = found->version,
	};

	if (ret_item->size < sizeof(size_t) || ret_item->size > 4096)
		return utm__fail(error, UTM_ERROR_STRUCT_SIZE, "UtmHostItem.size is %zu, which is the size of no version of it",
		                 ret_item->size);
	/* A caller of another version gets what its struct has room for. */
	memcpy((char *)ret_item + sizeof(size_t), (char *)&item + sizeof(size_t),
	       MIN(ret_item->size, sizeof(item)) - sizeof(size_t));
	return 0;
}

int utm_host_get_item(const UtmHost *host, UtmHostItemKind kind, size_t index, UtmHostItem *ret_item,
                         UtmError **error)
{
	FeatureList list = get_list(host, kind);

	if (!host || !ret_item)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "host and result are needed");
	if (index >= list.count)
		return utm__fail(error, UTM_ERROR_NOT_FOUND, "there are %zu of this kind", list.count);
	return read_item(list.items[index], ret_item, error);
}
