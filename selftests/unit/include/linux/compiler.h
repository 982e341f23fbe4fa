/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_LINUX_COMPILER_H
#define UNIT_LINUX_COMPILER_H

#ifdef NONDET_READS
/* For CBMC, where what was not written is anything: others write all the time. */
#define READ_ONCE(x)                        \
	({                                  \
		__typeof__(x) there_ = (x); \
		__typeof__(x) anything_;    \
		(void)there_;               \
		anything_;                  \
	})
#else
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#endif
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

#endif /* UNIT_LINUX_COMPILER_H */
