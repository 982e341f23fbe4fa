/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_ASM_BARRIER_H
#define UNIT_ASM_BARRIER_H

#ifdef __CPROVER__
/* Every read finds anything there: no order to keep. */
#define smp_rmb() ((void)0)
#define smp_wmb() ((void)0)
#define smp_mb() ((void)0)
#else
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#define dma_rmb() smp_rmb()
#define dma_wmb() smp_wmb()
#define mb() smp_mb()

#endif /* UNIT_ASM_BARRIER_H */
