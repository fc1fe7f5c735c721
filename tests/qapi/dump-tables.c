/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints the tables of a protocol that are linked into the library, for cross-check.py. tables.py describes the document.
 * It says what the engine works with, not what the generator meant: nothing here knows a name of the protocol.
 * Exits with 77 for a protocol that is not linked.
 */
#include "schema/protocols.h"

#include <stdio.h>
#include <string.h>

typedef struct Protocol {
	const char *name;
	const UtmSchema *schema;
} Protocol;

static const Protocol protocols[] = {
	{ "qmp", &utm__qmp_schema },
	{ "qga", &utm__qga_schema },
};

static const char *const kinds[] = {
	[UTM_SCHEMA_BOOL] = "bool",     [UTM_SCHEMA_INT] = "int",   [UTM_SCHEMA_NUMBER] = "number",
	[UTM_SCHEMA_STRING] = "str",    [UTM_SCHEMA_ANY] = "any",   [UTM_SCHEMA_ENUM] = "enum",
	[UTM_SCHEMA_STRUCT] = "struct", [UTM_SCHEMA_NULL] = "null", [UTM_SCHEMA_ALTERNATE] = "alternate",
};

static const UtmSchema *schema;

static const char *string(uint16_t offset)
{
	return utm__schema_string(schema, offset);
}

/* Items of a list, and of an object, stand on lines of their own. */
static void separate(guint index)
{
	fputs(index ? ",\n  " : "\n  ", stdout);
}

static void print_flag(const char *name, bool is_set)
{
	printf(", \"%s\": %s", name, is_set ? "true" : "false");
}

static void print_span(uint8_t span)
{
	printf(", \"since\": %u, \"until\": %d", span & 15, span >> 4 == UTM_SCHEMA_SPAN_OPEN ? -1 : span >> 4);
}

static void print_type_name(const UtmSchemaMember *member)
{
	if (member->kind == UTM_SCHEMA_INT)
		printf("\"%sint%u\"", member->type & UTM_SCHEMA_INT_UNSIGNED ? "u" : "", (member->type & UTM_SCHEMA_INT_BYTES) * 8);
	else if (member->kind == UTM_SCHEMA_ENUM || member->kind == UTM_SCHEMA_STRUCT)
		printf("\"%s\"", string(schema->types[member->type].name));
	else
		fputs("null", stdout);
}

/* Members say struct of an alternate too: it is a pointer like one. */
static void print_use(const UtmSchemaMember *member)
{
	bool is_alternate = member->kind == UTM_SCHEMA_STRUCT && schema->types[member->type].kind == UTM_SCHEMA_ALTERNATE;
	printf("\"kind\": \"%s\", \"type\": ", kinds[is_alternate ? UTM_SCHEMA_ALTERNATE : member->kind]);
	print_type_name(member);
	print_flag("array", member->flags & UTM_SCHEMA_ARRAY);
}

static void print_peer_flags(uint8_t flags, uint8_t span)
{
	print_span(span);
	print_flag("conditional", flags & UTM_SCHEMA_CONDITIONAL);
	print_flag("deprecated", flags & UTM_SCHEMA_DEPRECATED);
	print_flag("unstable", flags & UTM_SCHEMA_UNSTABLE);
}

static void print_member(const UtmSchemaMember *member)
{
	printf("{\"name\": \"%s\", ", string(member->name));
	print_use(member);
	print_flag("optional", member->flags & UTM_SCHEMA_OPTIONAL);
	print_peer_flags(member->flags, member->span);
	fputs("}", stdout);
}

static void print_values(const UtmSchemaType *type)
{
	fputs(", \"values\": [", stdout);
	for (guint i = 0; i < type->count; i++) {
		separate(i);
		printf("{\"name\": \"%s\", \"number\": %u", string(schema->values[type->first + i]), i);
		print_span((uint8_t)schema->value_spans[type->first + i]);
		fputs("}", stdout);
	}
	fputs("]", stdout);
}

static void print_members(const UtmSchemaType *type)
{
	fputs(", \"members\": [", stdout);
	for (guint i = 0; i < type->count; i++) {
		separate(i);
		print_member(utm__schema_member(schema, type, i));
	}
	fputs("]", stdout);
}

static void print_branches(const UtmSchemaType *type)
{
	printf(", \"tag\": %d, \"branches\": [", type->tag == UTM_SCHEMA_NONE ? -1 : type->tag);
	for (guint i = 0; i < type->branch_count; i++) {
		const UtmSchemaBranch *branch = &schema->branches[type->first_branch + i];
		const UtmSchemaType *tag = &schema->types[utm__schema_member(schema, type, type->tag)->type];
		separate(i);
		printf("{\"value\": \"%s\", \"type\": \"%s\"}", string(schema->values[tag->first + branch->value]),
		       string(schema->types[branch->type].name));
	}
	fputs("]", stdout);
}

static void print_types(void)
{
	guint printed = 0;
	fputs(", \"types\": [", stdout);
	for (guint i = 0; i < schema->type_count; i++) {
		const UtmSchemaType *type = &schema->types[i];
		if (!type->name || type->kind == UTM_SCHEMA_WRAPPER)
			continue;
		separate(printed++);
		printf("{\"name\": \"%s\", \"kind\": \"%s\"", string(type->name), kinds[type->kind]);
		if (type->kind == UTM_SCHEMA_ENUM)
			print_values(type);
		else
			print_members(type);
		if (type->kind == UTM_SCHEMA_STRUCT)
			print_branches(type);
		fputs("}", stdout);
	}
	fputs("]", stdout);
}

static void print_call(const UtmSchemaCall *call)
{
	printf("{\"name\": \"%s\", \"args\": ", string(call->name));
	if (call->args == UTM_SCHEMA_NONE)
		fputs("null", stdout);
	else
		printf("\"%s\"", string(schema->types[call->args].name));
	print_peer_flags(call->flags, call->span);
}

/* A list, a scalar, is the one member of a wrapper. */
static void print_result(uint16_t number)
{
	const UtmSchemaType *type = number == UTM_SCHEMA_NONE ? NULL : &schema->types[number];
	fputs(", \"returns\": ", stdout);
	if (!type) {
		fputs("null", stdout);
		return;
	}
	fputs("{", stdout);
	if (type->kind == UTM_SCHEMA_WRAPPER)
		print_use(utm__schema_member(schema, type, 0));
	else
		printf("\"kind\": \"%s\", \"type\": \"%s\", \"array\": false", kinds[type->kind], string(type->name));
	fputs("}", stdout);
}

static void print_commands(void)
{
	fputs(", \"commands\": [", stdout);
	for (guint i = 0; i < schema->command_count; i++) {
		const UtmSchemaCall *command = &schema->commands[i];
		separate(i);
		print_call(command);
		print_result(command->returns);
		print_flag("oob", command->flags & UTM_SCHEMA_CALL_OOB);
		print_flag("preconfig", command->flags & UTM_SCHEMA_CALL_PRECONFIG);
		print_flag("no_reply", command->flags & UTM_SCHEMA_CALL_NO_REPLY);
		print_flag("open", command->flags & UTM_SCHEMA_CALL_OPEN);
		fputs("}", stdout);
	}
	fputs("]", stdout);
}

static void print_events(void)
{
	fputs(", \"events\": [", stdout);
	for (guint i = 0; i < schema->event_count; i++) {
		separate(i);
		print_call(&schema->events[i]);
		fputs("}", stdout);
	}
	fputs("]", stdout);
}

int main(int argc, char **argv)
{
	for (gsize i = 0; i < G_N_ELEMENTS(protocols) && argc == 2; i++) {
		if (strcmp(argv[1], protocols[i].name))
			continue;
		schema = protocols[i].schema;
		printf("{\"protocol\": \"%s\"", protocols[i].name);
		print_types();
		print_commands();
		print_events();
		puts("}");
		return 0;
	}
	fprintf(stderr, "usage: %s PROTOCOL\n", argv[0]);
	return 77;
}
