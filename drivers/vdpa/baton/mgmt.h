/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The management device: vdpa dev add and del.
 */
#ifndef BATON_MGMT_H
#define BATON_MGMT_H

struct baton;

int baton_mgmt_init(void);
void baton_mgmt_uninit(void);
int baton_mgmt_register(struct baton *b);
void baton_mgmt_ask(struct baton *b);
void baton_mgmt_unregister(struct baton *b);

#endif /* BATON_MGMT_H */
