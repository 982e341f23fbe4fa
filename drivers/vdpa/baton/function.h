/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A function comes and goes: see function.c. What function drivers call is in <linux/baton.h>.
 */
#ifndef BATON_FUNCTION_H
#define BATON_FUNCTION_H

#include <linux/baton.h>

struct baton *baton_function_create(struct baton_function *fn);
void baton_function_destroy(struct baton *b);
struct baton *baton_function_get(struct baton *b);
void baton_function_put(struct baton *b);

#endif /* BATON_FUNCTION_H */
