// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one file that CREATE_TRACE_POINTS is defined in: it defines the tracepoints of trace.h.
 */
#include "core.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
