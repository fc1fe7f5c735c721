/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handle API. Commands, events and their types cross as JSON, see Sources/Utm/JSON.swift. */
#include <utm/utm.h>
