/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <utm/types.h>

/* For who does the work; NULL is fine. */
void utm__progress_set_total(UtmProgress *progress, guint64 total);
void utm__progress_set_done(UtmProgress *progress, guint64 done);
