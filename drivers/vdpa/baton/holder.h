/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which process has a vDPA device open: see holder.c.
 */
#ifndef BATON_HOLDER_H
#define BATON_HOLDER_H

#include <linux/sched.h>

struct device;

/**
 * struct baton_holder - a process that has a vDPA device open
 * @comm: its name
 * @pid: its process ID
 */
struct baton_holder {
	char comm[TASK_COMM_LEN];
	pid_t pid;
};

unsigned int baton_holder_find(struct device *dev, struct baton_holder *holder);

#endif /* BATON_HOLDER_H */
