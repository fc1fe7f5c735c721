/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest program that does something: what is in a package? README.md shows it, the install test builds it. */
#include <stdio.h>
#include <utm/utm.h>

int main(int argc, char **argv)
{
	UtmError *error = NULL;
	UtmContext *ctx = utm_context_new(NULL, &error);
	UtmBundle *bundle = NULL;
	bool good = argc == 2 && ctx && utm_bundle_open(ctx, argv[1], &bundle, &error) == 0;
	char *problem = utm_error_dup_text(error);

	if (good)
		printf("%s (%s), libutm %s\n", utm_config_get_name(utm_bundle_get_config(bundle)), utm_bundle_get_path(bundle),
		       utm_version_string());
	else
		fprintf(stderr, "%s\n", error ? problem : "usage: ten-lines BUNDLE");
	utm_free(problem);
	utm_error_unref(error);
	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
	return !good;
}
