/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: every change of ownership, and everything that changes what the
 * function can reach. Documentation/dma-ownership.rst says what they mean.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM baton

#if !defined(BATON_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define BATON_TRACE_H

#include <linux/device.h>
#include <linux/tracepoint.h>

#include "owner.h"

TRACE_EVENT(baton_owner,
	TP_PROTO(const struct device *dev, enum baton_state from, const struct baton_owner *o),
	TP_ARGS(dev, from, o),
	TP_STRUCT__entry(
		__string(function, dev_name(dev))
		__field(u8, from)
		__field(u8, to)
		__field(u8, owner)
	),
	TP_fast_assign(
		__assign_str(function);
		__entry->from = from;
		__entry->to = o->state;
		__entry->owner = o->owner;
	),
	TP_printk("%s: %s -> %s owner=%s", __get_str(function),
		  baton_owner_state_name(__entry->from), baton_owner_state_name(__entry->to),
		  baton_owner_party_name(__entry->owner))
);

TRACE_EVENT(baton_step,
	TP_PROTO(const struct device *dev, enum baton_step step, int err),
	TP_ARGS(dev, step, err),
	TP_STRUCT__entry(
		__string(function, dev_name(dev))
		__field(u8, step)
		__field(int, err)
	),
	TP_fast_assign(
		__assign_str(function);
		__entry->step = step;
		__entry->err = err;
	),
	TP_printk("%s: %s err=%d", __get_str(function), baton_owner_step_name(__entry->step),
		  __entry->err)
);

TRACE_EVENT(baton_reset,
	TP_PROTO(const struct device *dev, u64 usecs, int err),
	TP_ARGS(dev, usecs, err),
	TP_STRUCT__entry(
		__string(function, dev_name(dev))
		__field(u64, usecs)
		__field(int, err)
	),
	TP_fast_assign(
		__assign_str(function);
		__entry->usecs = usecs;
		__entry->err = err;
	),
	TP_printk("%s: usecs=%llu err=%d", __get_str(function), __entry->usecs, __entry->err)
);

DECLARE_EVENT_CLASS(baton_said,
	TP_PROTO(const struct device *dev, const char *what),
	TP_ARGS(dev, what),
	TP_STRUCT__entry(
		__string(function, dev_name(dev))
		__string(what, what)
	),
	TP_fast_assign(
		__assign_str(function);
		__assign_str(what);
	),
	TP_printk("%s: %s", __get_str(function), __get_str(what))
);

DEFINE_EVENT(baton_said, baton_refusal,
	TP_PROTO(const struct device *dev, const char *what),
	TP_ARGS(dev, what)
);

DEFINE_EVENT(baton_said, baton_fault,
	TP_PROTO(const struct device *dev, const char *what),
	TP_ARGS(dev, what)
);

TRACE_EVENT(baton_command,
	TP_PROTO(const struct device *dev, u8 class, u8 cmd, size_t len, int verdict, u8 ack),
	TP_ARGS(dev, class, cmd, len, verdict, ack),
	TP_STRUCT__entry(
		__string(function, dev_name(dev))
		__field(u8, class)
		__field(u8, cmd)
		__field(size_t, len)
		__field(int, verdict)
		__field(u8, ack)
	),
	TP_fast_assign(
		__assign_str(function);
		__entry->class = class;
		__entry->cmd = cmd;
		__entry->len = len;
		__entry->verdict = verdict;
		__entry->ack = ack;
	),
	TP_printk("%s: class=%u command=%u len=%zu verdict=%d ack=%u", __get_str(function),
		  __entry->class, __entry->cmd, __entry->len, __entry->verdict, __entry->ack)
);

DECLARE_EVENT_CLASS(baton_mapping,
	TP_PROTO(const struct device *dev, u64 iova, u64 size, u64 pa, u32 perm, int err),
	TP_ARGS(dev, iova, size, pa, perm, err),
	TP_STRUCT__entry(
		__string(function, dev_name(dev))
		__field(u64, iova)
		__field(u64, size)
		__field(u64, pa)
		__field(u32, perm)
		__field(int, err)
	),
	TP_fast_assign(
		__assign_str(function);
		__entry->iova = iova;
		__entry->size = size;
		__entry->pa = pa;
		__entry->perm = perm;
		__entry->err = err;
	),
	TP_printk("%s: iova=%#llx size=%#llx pa=%#llx perm=%u err=%d", __get_str(function),
		  __entry->iova, __entry->size, __entry->pa, __entry->perm, __entry->err)
);

DEFINE_EVENT(baton_mapping, baton_map,
	TP_PROTO(const struct device *dev, u64 iova, u64 size, u64 pa, u32 perm, int err),
	TP_ARGS(dev, iova, size, pa, perm, err)
);

DEFINE_EVENT(baton_mapping, baton_unmap,
	TP_PROTO(const struct device *dev, u64 iova, u64 size, u64 pa, u32 perm, int err),
	TP_ARGS(dev, iova, size, pa, perm, err)
);

DECLARE_EVENT_CLASS(baton_position,
	TP_PROTO(const struct device *dev, u16 queue, u16 position),
	TP_ARGS(dev, queue, position),
	TP_STRUCT__entry(
		__string(function, dev_name(dev))
		__field(u16, queue)
		__field(u16, position)
	),
	TP_fast_assign(
		__assign_str(function);
		__entry->queue = queue;
		__entry->position = position;
	),
	TP_printk("%s: queue=%u position=%u", __get_str(function), __entry->queue,
		  __entry->position)
);

DEFINE_EVENT(baton_position, baton_relay,
	TP_PROTO(const struct device *dev, u16 queue, u16 position),
	TP_ARGS(dev, queue, position)
);

DEFINE_EVENT(baton_position, baton_heal,
	TP_PROTO(const struct device *dev, u16 queue, u16 position),
	TP_ARGS(dev, queue, position)
);

TRACE_EVENT(baton_bypass,
	TP_PROTO(const struct device *dev, u16 queue, bool offered),
	TP_ARGS(dev, queue, offered),
	TP_STRUCT__entry(
		__string(function, dev_name(dev))
		__field(u16, queue)
		__field(bool, offered)
	),
	TP_fast_assign(
		__assign_str(function);
		__entry->queue = queue;
		__entry->offered = offered;
	),
	TP_printk("%s: queue=%u offered=%u", __get_str(function), __entry->queue,
		  __entry->offered)
);

#endif /* BATON_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
