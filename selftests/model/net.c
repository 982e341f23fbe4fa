// SPDX-License-Identifier: GPL-2.0-only
/*
 * Net: frames from and to a datagram socket, no offloads. Filters begin as a
 * device's do, promiscuous, and are the control queue's to set.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>

#include "net.h"
#include "queue.h"
#include "regs.h"

#define HEADER 12
#define COMMAND_MAX 2048
#define ETH_VLAN 0x8100

struct net_config {
	u8 mac[6];
	u16 status, max_pairs, mtu;
};

u64 net_features(const struct model *m)
{
	return BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MRG_RXBUF) |
	       BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
	       BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_CTRL_VLAN) |
	       BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | (m->set.pairs > 1 ? BIT(VIRTIO_NET_F_MQ) : 0) |
	       (m->set.mtu ? BIT(VIRTIO_NET_F_MTU) : 0);
}

/* Without MQ, the control queue is the third, whatever there is. */
u16 net_control_index(const struct model *m)
{
	return has_feature(m, VIRTIO_NET_F_MQ) ? 2 * m->set.pairs : 2;
}

void net_init(struct model *m)
{
	struct net_config c = { .status = VIRTIO_NET_S_LINK_UP,
				.max_pairs = m->set.pairs,
				.mtu = m->set.mtu };

	for (int i = 0; i < 6; i++)
		c.mac[i] = m->set.mac >> (40 - 8 * i);
	memcpy(m->config, &c, sizeof(c));
	m->config_len = sizeof(c);
	net_reset(m);
}

void net_reset(struct model *m)
{
	struct net *n = &m->net;

	for (int i = 0; i < 6; i++)
		n->mac[i] = m->set.mac >> (40 - 8 * i);
	memcpy(m->config, n->mac, sizeof(n->mac));
	n->promisc = true;
	n->allmulti = n->alluni = n->nomulti = n->nouni = n->nobcast = false;
	n->overflow = n->multi_overflow = false;
	n->nr_uni = n->nr_multi = 0;
	memset(n->vlans, 0, sizeof(n->vlans));
	n->pairs = 1;
}

static bool net_in_table(const struct net *n, const u8 *mac, unsigned int from, unsigned int nr)
{
	for (unsigned int i = from; i < from + nr; i++)
		if (!memcmp(n->table[i], mac, 6))
			return true;
	return false;
}

bool net_wants(const struct model *m, const u8 *frame, size_t len)
{
	static const u8 broadcast[6] = { 255, 255, 255, 255, 255, 255 };
	const struct net *n = &m->net;
	unsigned int vid;

	if (len < 14)
		return false;
	if (n->promisc)
		return true;
	if (has_feature(m, VIRTIO_NET_F_CTRL_VLAN) && len >= 18 &&
	    (frame[12] << 8 | frame[13]) == ETH_VLAN) {
		vid = (frame[14] << 8 | frame[15]) & (VLANS - 1);
		if (!(n->vlans[vid / 8] & 1 << vid % 8))
			return false;
	}
	if (!memcmp(frame, broadcast, 6))
		return !n->nobcast;
	if (frame[0] & 1)
		return !n->nomulti && (n->allmulti || n->multi_overflow ||
				       net_in_table(n, frame, n->nr_uni, n->nr_multi));
	if (n->nouni)
		return false;
	return n->alluni || n->overflow || !memcmp(frame, n->mac, 6) ||
	       net_in_table(n, frame, 0, n->nr_uni);
}

/* Which pair a frame goes to: the same for all of a flow. */
static unsigned int net_pair(const struct net *n, const u8 *frame, size_t len)
{
	unsigned int sum = 0;

	for (size_t i = 6; i < len && i < 38; i++)
		sum += frame[i];
	return sum % n->pairs;
}

void net_receive(struct model *m, const u8 *frame, size_t len)
{
	struct virtio_net_hdr_v1 header = { .num_buffers = 1 };
	u8 all[HEADER + FRAME_MAX];
	struct chain c;
	struct queue *q;

	if (!regs_running(m) || len > FRAME_MAX || !net_wants(m, frame, len))
		return;
	q = &m->q[2 * net_pair(&m->net, frame, len)];
	memcpy(all, &header, HEADER);
	memcpy(all + HEADER, frame, len);
	len += HEADER;
	if (!queue_get(m, q, &c))
		return;
	/* What is longer than a buffer is lost: frames fit into those that drivers give. */
	if (queue_room(&c, true) < len) {
		queue_unget(m, q, &c);
		return;
	}
	if (queue_write(m, q, &c, 0, all, len) != len)
		return;
	queue_put(m, q, &c, len);
	m->net.frames_in++;
	queue_tell(m, q);
}

static void net_transmit(struct model *m, struct queue *q)
{
	u8 frame[FRAME_MAX];
	struct chain c;
	size_t len;
	int sent = 0;

	while (queue_get(m, q, &c)) {
		len = queue_room(&c, false);
		if (len > HEADER && len - HEADER <= FRAME_MAX) {
			len = queue_read(m, q, &c, HEADER, frame, len - HEADER);
			if (!m->reset_due && !q->broken && m->net.fd >= 0 &&
			    send(m->net.fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
				m->net.frames_out++;
		}
		queue_put(m, q, &c, 0);
		sent++;
	}
	if (sent)
		queue_tell(m, q);
}

/* -- the control queue ------------------------------------------------------------------- */

static u8 net_rx(struct net *n, u8 command, const u8 *data, size_t len)
{
	bool *which[] = {
		&n->promisc, &n->allmulti, &n->alluni, &n->nomulti, &n->nouni, &n->nobcast
	};

	if (command >= ARRAY_LEN(which) || len != 1)
		return VIRTIO_NET_ERR;
	*which[command] = data[0];
	return VIRTIO_NET_OK;
}

/* One of the two tables of a command; returns what it takes of @data, 0 if that is nonsense. */
static size_t net_table(struct model *m, const u8 *data, size_t len, unsigned int at,
			unsigned int *nr, bool *overflow)
{
	u32 entries;

	if (len < 4)
		return 0;
	memcpy(&entries, data, 4);
	if (entries > (len - 4) / 6)
		return 0;
	*overflow = entries > m->set.filters || entries > MACS_MAX;
	*nr = *overflow ? 0 : entries;
	memcpy(m->net.table[at], data + 4, 6 * *nr);
	return 4 + 6 * (size_t)entries;
}

static u8 net_mac(struct model *m, u8 command, const u8 *data, size_t len)
{
	struct net *n = &m->net;
	size_t first;

	if (command == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
		if (len != 6)
			return VIRTIO_NET_ERR;
		memcpy(n->mac, data, 6);
		memcpy(m->config, data, 6);
		return VIRTIO_NET_OK;
	}
	if (command != VIRTIO_NET_CTRL_MAC_TABLE_SET)
		return VIRTIO_NET_ERR;
	n->nr_uni = n->nr_multi = 0;
	first = net_table(m, data, len, 0, &n->nr_uni, &n->overflow);
	if (!first ||
	    !net_table(m, data + first, len - first, n->nr_uni, &n->nr_multi, &n->multi_overflow))
		return VIRTIO_NET_ERR;
	return VIRTIO_NET_OK;
}

static u8 net_vlan(struct net *n, u8 command, const u8 *data, size_t len)
{
	u16 vid;

	if (len != 2)
		return VIRTIO_NET_ERR;
	memcpy(&vid, data, 2);
	if (vid >= VLANS || command > VIRTIO_NET_CTRL_VLAN_DEL)
		return VIRTIO_NET_ERR;
	if (command == VIRTIO_NET_CTRL_VLAN_ADD)
		n->vlans[vid / 8] |= 1 << vid % 8;
	else
		n->vlans[vid / 8] &= ~(1 << vid % 8);
	return VIRTIO_NET_OK;
}

static u8 net_pairs(struct model *m, u8 command, const u8 *data, size_t len)
{
	u16 pairs;

	if (command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || len != 2)
		return VIRTIO_NET_ERR;
	memcpy(&pairs, data, 2);
	if (!pairs || pairs > m->set.pairs || !has_feature(m, VIRTIO_NET_F_MQ))
		return VIRTIO_NET_ERR;
	m->net.pairs = pairs;
	return VIRTIO_NET_OK;
}

static u8 net_command(struct model *m, const u8 *data, size_t len)
{
	if (len < 2)
		return VIRTIO_NET_ERR;
	switch (data[0]) {
	case VIRTIO_NET_CTRL_RX:
		return net_rx(&m->net, data[1], data + 2, len - 2);
	case VIRTIO_NET_CTRL_MAC:
		return net_mac(m, data[1], data + 2, len - 2);
	case VIRTIO_NET_CTRL_VLAN:
		return net_vlan(&m->net, data[1], data + 2, len - 2);
	case VIRTIO_NET_CTRL_MQ:
		return net_pairs(m, data[1], data + 2, len - 2);
	default:
		return VIRTIO_NET_ERR;
	}
}

static void net_control(struct model *m, struct queue *q)
{
	u8 command[COMMAND_MAX], ack;
	struct chain c;
	size_t len;

	/* One at a time; a slow device takes its time before it looks. */
	if (!queue_get(m, q, &c))
		return;
	len = queue_read(m, q, &c, 0, command, sizeof(command));
	if (m->reset_due || q->broken)
		return;
	ack = net_command(m, command, len);
	m->net.commands++;
	model_log(m, "command %u %u of %zu bytes from %#llx: %u", len > 0 ? command[0] : 255,
		  len > 1 ? command[1] : 255, len, c.part[0].addr, ack);
	if (m->set.ack < 256)
		ack = m->set.ack;
	if (!(m->set.mute && m->set.wrong_queue == q->index))
		queue_write(m, q, &c, 0, &ack, 1);
	queue_put(m, q, &c, 1);
	queue_tell(m, q);
	q->kicked = true;
	q->due = model_now() + m->set.command_ms;
}

void net_queue(struct model *m, struct queue *q)
{
	if (has_feature(m, VIRTIO_NET_F_CTRL_VQ) && q->index == net_control_index(m))
		net_control(m, q);
	else if (q->index & 1)
		net_transmit(m, q);
}
