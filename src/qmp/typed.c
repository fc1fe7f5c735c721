/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/typed.h"

#include "qmp/qmp-private.h"

#include <string.h>

struct UtmCallResult {
	UtmTypedCall call;
	UtmRequest *request;
};

/* --- values --- */

static bool needs_arguments(UtmTypedCall call)
{
	const UtmSchemaType *row = &call.schema->types[utm__typed_row(call)->args];
	for (guint i = 0; utm__typed_row(call)->args != UTM_SCHEMA_NONE && i < row->count; i++)
		if (!(utm__schema_member(call.schema, row, i)->flags & UTM_SCHEMA_OPTIONAL))
			return true;
	return false;
}

static const char *type_name(const UtmSchema *schema, guint type)
{
	return type == UTM_SCHEMA_NONE ? "nothing" : utm__schema_string(schema, schema->types[type].name);
}

/* NULL without arguments. */
static int encode_arguments(UtmTypedCall call, const void *args, char **ret_json, bool *ret_varies, UtmError **error)
{
	const UtmSchemaCall *row = utm__typed_row(call);
	const char *name = utm__schema_string(call.schema, row->name);
	*ret_json = NULL;
	*ret_varies = false;
	if (!args && !needs_arguments(call))
		return 0;
	if (!args)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "%s needs arguments", name);
	if (row->args == UTM_SCHEMA_NONE)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "%s takes no arguments", name);
	if (!utm__schema_made(args, call.schema->number) || utm__schema_type_of(args) != row->args)
		return utm__fail_take(error, utm__error_set_remedy(
			utm__error_new(UTM_ERROR_INVALID_ARGUMENT,
			               "the arguments of %s are no %s that the library made: a copy by value, freed, or of another type",
			               name, type_name(call.schema, row->args)),
			"Make it with the type's _new, _copy or _from_json, and pass the pointer that they gave."));
	GString *text = g_string_new(NULL);
	int result = utm__protocol_encode(call.schema, args, text, ret_varies, error);
	bool is_empty = text->len <= strlen("{}");
	char *json = g_string_free(text, result < 0 || is_empty);
	if (result == 0)
		*ret_json = json;
	return result;
}

int utm__typed_decode(UtmTypedCall call, const char *reply, void **ret_object, UtmError **error)
{
	const UtmSchemaCall *row = utm__typed_row(call);
	*ret_object = NULL;
	if (row->returns == UTM_SCHEMA_NONE)
		return 0;
	return utm__protocol_decode(call.schema, row->returns, reply, strlen(reply), ret_object, error);
}

/* A list is a wrapper that its receiver knows as it is; of any other the receiver gets the value inside. */
static void store_result(UtmTypedCall call, void *object_taken, void *ret_result)
{
	guint type = utm__typed_row(call)->returns;
	if (type == UTM_SCHEMA_NONE)
		return;
	const UtmSchemaType *row = &call.schema->types[type];
	const UtmSchemaMember *member = utm__schema_member(call.schema, row, 0);
	bool whole = row->kind != UTM_SCHEMA_WRAPPER || (member->flags & UTM_SCHEMA_ARRAY);
	if (whole && ret_result) {
		memcpy(ret_result, &object_taken, sizeof object_taken);
		return;
	}
	if (ret_result) {
		void *field = utm__schema_at(object_taken, member->offset);
		memcpy(ret_result, field, utm__schema_element_size(member));
		memset(field, 0, utm__schema_element_size(member));
	}
	utm__schema_free(call.schema, object_taken);
}

UtmError *utm__typed_refine(UtmTypedCall call, UtmError *error_taken)
{
	const char *name = utm__schema_string(call.schema, utm__typed_row(call)->name);
	const char *qmp_class = utm_error_get_qmp_class(error_taken);
	UtmError *made = NULL;
	if (utm_error_get_code(error_taken) == UTM_ERROR_QMP_MALFORMED)
		made = utm__error_set_key_path(utm__error_new(UTM_ERROR_QMP_MALFORMED, "the answer to %s is not understood: %s", name,
		                                              utm_error_get_message(error_taken)),
		                               utm_error_get_key_path(error_taken));
	else if (utm_error_get_code(error_taken) == UTM_ERROR_QMP_COMMAND && g_strcmp0(qmp_class, "CommandNotFound") == 0)
		made = utm__error_set_remedy(
			utm__error_set_qmp_class(
				utm__error_new(UTM_ERROR_QMP_UNSUPPORTED, "%s", utm_error_get_message(error_taken)), qmp_class),
			"The command was sent and the peer does not know it: use one that has it, or do without.");
	if (!made)
		return error_taken;
	utm_error_unref(error_taken);
	return made;
}

/* --- calls --- */

int utm__typed_run(UtmQmp *qmp, UtmTypedCall call, const void *args, const UtmQmpCallOptions *options, void *ret_result,
                   UtmError **error)
{
	char *json;
	void *object = NULL;
	bool varies;
	int result = encode_arguments(call, args, &json, &varies, error);
	if (result == 0)
		result = utm__qmp_run_typed(qmp, call, json, varies, options, &object, error);
	if (result == 0)
		store_result(call, object, ret_result);
	return result;
}

static void deliver(UtmRequest *request, UtmCallback *callback)
{
	UtmCallResult result = { .call = utm__qmp_request_get_typed(request), .request = request };
	if (callback->fn)
		((UtmCallFunc)callback->fn)(&result, callback->user_data);
}

int utm__typed_submit(UtmQmp *qmp, UtmTypedCall call, const void *args, const UtmQmpCallOptions *options, UtmCallFunc fn,
                      void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	char *json;
	bool varies;
	UtmError *failure = NULL;
	int result = qmp ? encode_arguments(call, args, &json, &varies, &failure)
	                 : utm__fail(&failure, UTM_ERROR_INVALID_ARGUMENT, "no QMP connection");
	if (result == 0)
		return utm__qmp_submit_typed(qmp, call, json, varies, options, deliver,
		                             utm__callback_new(qmp->object.context, (UtmAnyFunc)fn, user_data, free_fn), error);
	if (free_fn)
		free_fn(user_data);
	return utm__fail_take(error, failure);
}

int utm_call_result_finish(UtmCallResult *result, uint32_t command, void *ret_result, UtmError **error)
{
	if (!result || command != ((uint32_t)result->call.schema->number << 16 | result->call.number))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no result, or that of another command");
	const UtmError *failure = utm__request_get_error(result->request);
	if (failure)
		return utm__fail_take(error, utm_error_ref((UtmError *)failure));
	void *object = utm__request_steal_result(result->request);
	if (!object && utm__typed_row(result->call)->returns != UTM_SCHEMA_NONE)
		return utm__fail_take(error, utm__error_set_remedy(
			utm__error_new(UTM_ERROR_INVALID_STATE, "the result was taken already"),
			"Keep what the first call gave; a result is handed out once."));
	store_result(result->call, object, ret_result);
	return 0;
}

/* --- the monitor's own --- */

int utm__qmp_call(UtmQmp *qmp, unsigned number, const void *args, const UtmQmpCallOptions *options, void *ret_result,
                  UtmError **error)
{
	UtmTypedCall call = { .schema = &utm__qmp_schema, .number = number };
	return utm__typed_run(qmp, call, args, options, ret_result, error);
}

int utm__qmp_call_async(UtmQmp *qmp, unsigned number, const void *args, const UtmQmpCallOptions *options, UtmCallFunc fn,
                        void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmTypedCall call = { .schema = &utm__qmp_schema, .number = number };
	return utm__typed_submit(qmp, call, args, options, fn, user_data, free_fn, error);
}
