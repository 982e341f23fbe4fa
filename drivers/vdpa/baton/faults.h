/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions that misbehave on command, for tests only: see faults.c. Without CONFIG_BATON_FAULTS
 * nothing of it is built.
 */
#ifndef BATON_FAULTS_H
#define BATON_FAULTS_H

#include <linux/baton.h>

#ifdef BATON_FAULTS
void baton_faults_init(void);
void baton_faults_uninit(void);
int baton_faults_wrap(struct baton_function *fn);
void baton_faults_unwrap(struct baton_function *fn);
#else
static inline void baton_faults_init(void)
{
}

static inline void baton_faults_uninit(void)
{
}

static inline int baton_faults_wrap(struct baton_function *fn)
{
	return 0;
}

static inline void baton_faults_unwrap(struct baton_function *fn)
{
}
#endif

#endif /* BATON_FAULTS_H */
