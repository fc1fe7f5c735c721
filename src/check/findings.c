/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of findings. It is bounded, and has each code once for each key path, so that rules may overlap without being
 * told twice.
 */
#include "check/check-private.h"

#include <string.h>

#define MESSAGE_MAX 400

struct UtmFindings {
	GPtrArray *findings; /* of UtmFinding */
	GHashTable *known;   /* the set of "code key path", and of "error key path" */
	GStringChunk *chunk;
};

UtmFindings *utm__findings_new(void)
{
	UtmFindings *findings = g_new0(UtmFindings, 1);
	*findings = (UtmFindings){
		.findings = g_ptr_array_new_with_free_func(g_free),
		.known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.chunk = g_string_chunk_new(4096),
	};
	return findings;
}

void utm_findings_free(UtmFindings *findings)
{
	if (!findings)
		return;
	g_ptr_array_unref(findings->findings);
	g_hash_table_unref(findings->known);
	g_string_chunk_free(findings->chunk);
	g_free(findings);
}

size_t utm_findings_get_count(const UtmFindings *findings)
{
	return findings ? findings->findings->len : 0;
}

const UtmFinding *utm_findings_get(const UtmFindings *findings, size_t index)
{
	return index < utm_findings_get_count(findings) ? findings->findings->pdata[index] : NULL;
}

uint32_t utm_findings_get_severity(const UtmFindings *findings)
{
	uint32_t worst = 0;
	for (size_t i = 0; i < utm_findings_get_count(findings); i++)
		worst = MAX(worst, utm_findings_get(findings, i)->severity);
	return worst;
}

const char *utm_finding_code_get_name(uint32_t code)
{
	return code >= 1 && code <= utm__finding_table_count ? utm__finding_table[code - 1].name : NULL;
}

const char *utm_finding_severity_get_name(uint32_t severity)
{
	static const char *const names[] = {
		[UTM_FINDING_SEVERITY_INFO] = "info",
		[UTM_FINDING_SEVERITY_WARNING] = "warning",
		[UTM_FINDING_SEVERITY_ERROR] = "error",
	};
	return severity < G_N_ELEMENTS(names) ? names[severity] : NULL;
}

/* --- order --- */

/* g_ptr_array_sort() keeps no order among equals, so the place does. */
static gint compare(gconstpointer a, gconstpointer b, gpointer places)
{
	const UtmFinding *left = *(UtmFinding *const *)a, *right = *(UtmFinding *const *)b;
	if (left->severity != right->severity)
		return left->severity > right->severity ? -1 : 1;
	return GPOINTER_TO_INT(g_hash_table_lookup(places, left)) - GPOINTER_TO_INT(g_hash_table_lookup(places, right));
}

void utm__findings_sort(UtmFindings *findings)
{
	g_autoptr(GHashTable) places = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < findings->findings->len; i++)
		g_hash_table_insert(places, findings->findings->pdata[i], GUINT_TO_POINTER(i));
	g_ptr_array_sort_with_data(findings->findings, compare, places);
}

/* --- adding --- */

void utm__check_at(UtmCheck *check, const char *key_path_format, ...)
{
	va_list args;
	check->key_path[0] = '\0';
	if (!key_path_format)
		return;
	va_start(args, key_path_format);
	g_vsnprintf(check->key_path, sizeof check->key_path, key_path_format, args);
	va_end(args);
}

/* Hostile names become part of messages, and those end in terminals and logs. */
static const char *keep_line(UtmFindings *findings, const char *text)
{
	g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
	if (!valid)
		return NULL;
	GString *line = g_string_new(NULL);
	const char *p = valid;
	for (; *p && line->len < MESSAGE_MAX; p = g_utf8_next_char(p)) {
		GUnicodeType type = g_unichar_type(g_utf8_get_char(p));
		bool plain = type != G_UNICODE_CONTROL && type != G_UNICODE_FORMAT && type != G_UNICODE_LINE_SEPARATOR &&
		             type != G_UNICODE_PARAGRAPH_SEPARATOR;
		g_string_append_unichar(line, plain ? g_utf8_get_char(p) : '?');
	}
	g_string_append(line, *p ? "..." : "");
	const char *kept = g_string_chunk_insert(findings->chunk, line->str);
	g_string_free(line, TRUE);
	return kept;
}

static void add(UtmCheck *check, UtmFindingCode code, const char *remedy, const char *message)
{
	UtmFindings *findings = check->findings;
	const UtmFindingEntry *entry = &utm__finding_table[code - 1];
	UtmFinding *finding = g_new0(UtmFinding, 1);
	*finding = (UtmFinding){
		.size = sizeof *finding,
		.severity = entry->severity,
		.code = code,
		.key_path = *check->key_path ? keep_line(findings, check->key_path) : NULL,
		.message = keep_line(findings, message),
		.remedy = keep_line(findings, remedy ? remedy : entry->remedy),
		.file = check->file ? g_string_chunk_insert(findings->chunk, check->file) : NULL,
	};
	g_ptr_array_add(findings->findings, finding);
}

/* True the first time. */
static bool remember(UtmFindings *findings, const char *what, const char *key_path, const char *file)
{
	return g_hash_table_add(findings->known, g_strdup_printf("%s %s %s", what, key_path, file ? file : ""));
}

static void find(UtmCheck *check, UtmFindingCode code, const char *remedy, const char *format, va_list args)
	G_GNUC_PRINTF(4, 0);

static void find(UtmCheck *check, UtmFindingCode code, const char *remedy, const char *format, va_list args)
{
	UtmFindings *findings = check->findings;
	guint count = findings->findings->len;
	if (count > UTM_FINDINGS_MAX || !remember(findings, utm_finding_code_get_name(code), check->key_path, check->file))
		return;
	if (count == UTM_FINDINGS_MAX) {
		utm__check_at(check, NULL);
		add(check, UTM_FINDING_MORE, NULL, "there are more findings than are listed");
		return;
	}
	g_autofree char *message = g_strdup_vprintf(format, args);
	if (utm__finding_table[code - 1].severity == UTM_FINDING_SEVERITY_ERROR)
		remember(findings, "error", check->key_path, NULL);
	add(check, code, remedy, message);
}

void utm__find(UtmCheck *check, UtmFindingCode code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	find(check, code, NULL, format, args);
	va_end(args);
}

void utm__find_with_remedy(UtmCheck *check, UtmFindingCode code, const char *remedy, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	find(check, code, remedy, format, args);
	va_end(args);
}

static bool is_remembered(const UtmCheck *check, const char *what)
{
	g_autofree char *mark = g_strdup_printf("%s %s ", what, check->key_path);
	return g_hash_table_contains(check->findings->known, mark);
}

bool utm__has_error_here(const UtmCheck *check)
{
	return is_remembered(check, "error");
}

bool utm__was_found_here(const UtmCheck *check, UtmFindingCode code)
{
	return is_remembered(check, utm_finding_code_get_name(code));
}
