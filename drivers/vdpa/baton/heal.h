/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a relay: see heal.c.
 */
#ifndef BATON_HEAL_H
#define BATON_HEAL_H

struct baton_relay;

void baton_heal_init(struct baton_relay *relay);
void baton_heal_prepare(struct baton_relay *relay);
void baton_heal_look(struct baton_relay *relay);
void baton_heal_kick(struct baton_relay *relay);

#endif /* BATON_HEAL_H */
