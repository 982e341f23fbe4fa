// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/vdpa.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netlink.h"

#define BUFFER 16384

/* One request and its answer; the buffer serves both. */
struct netlink_call {
	struct mnl_socket *socket;
	struct nlmsghdr *header;
	uint16_t family;
	char why[NETLINK_WHY];
	char buffer[BUFFER];
};

static struct nlmsghdr *netlink_begin(struct netlink_call *call, uint16_t family, uint8_t command,
				      uint16_t flags)
{
	struct genlmsghdr *genl;

	call->header = mnl_nlmsg_put_header(call->buffer);
	call->header->nlmsg_type = family;
	call->header->nlmsg_flags = NLM_F_REQUEST | flags;
	call->header->nlmsg_seq = (uint32_t)time(NULL);
	genl = mnl_nlmsg_put_extra_header(call->header, sizeof(*genl));
	genl->cmd = command;
	genl->version = VDPA_GENL_VERSION;
	return call->header;
}

static int netlink_find_why(const struct nlattr *attr, void *data)
{
	struct netlink_call *call = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    !mnl_attr_validate(attr, MNL_TYPE_STRING))
		snprintf(call->why, sizeof(call->why), "%.*s", (int)mnl_attr_get_payload_len(attr),
			 mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

/* An acknowledgement, or an error that may have words of the kernel's behind it. */
static int netlink_error(const struct nlmsghdr *header, void *data)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(header);
	size_t offset = sizeof(*err);

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*err)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		offset += err->msg.nlmsg_len - mnl_nlmsg_size(0);
	if (header->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_parse(header, (unsigned int)offset, netlink_find_why, data);
	if (err->error) {
		errno = -err->error;
		return MNL_CB_ERROR;
	}
	return MNL_CB_STOP;
}

/* Send what was begun, and read until the acknowledgement. */
static int netlink_run(struct netlink_call *call, mnl_cb_t answer, void *data)
{
	uint32_t seq = call->header->nlmsg_seq;
	unsigned int port = mnl_socket_get_portid(call->socket);
	struct nlmsgerr *err;
	ssize_t n;
	int more;

	if (mnl_socket_sendto(call->socket, call->header, call->header->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(call->socket, call->buffer, sizeof(call->buffer));
		if (n < 0)
			return -errno;
		/* It comes in a datagram of its own; libmnl would lose the words. */
		call->header = (struct nlmsghdr *)call->buffer;
		err = mnl_nlmsg_get_payload(call->header);
		if (call->header->nlmsg_type == NLMSG_ERROR &&
		    mnl_nlmsg_get_payload_len(call->header) >= sizeof(*err))
			return netlink_error(call->header, call) == MNL_CB_ERROR ? err->error : 0;
		more = mnl_cb_run(call->buffer, (size_t)n, seq, port, answer, data);
	} while (more > 0);
	return more < 0 ? -errno : 0;
}

static int netlink_take_family(const struct nlattr *attr, void *data)
{
	uint16_t *family = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
	    !mnl_attr_validate(attr, MNL_TYPE_U16))
		*family = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int netlink_family(const struct nlmsghdr *header, void *data)
{
	return mnl_attr_parse(header, sizeof(struct genlmsghdr), netlink_take_family, data);
}

static int netlink_open(struct netlink_call *call)
{
	int on = 1, err;

	call->family = 0;
	call->why[0] = '\0';
	call->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!call->socket)
		return -errno;
	if (mnl_socket_bind(call->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		goto close;
	}
	/* Without it there are no words, which is no reason to fail. */
	mnl_socket_setsockopt(call->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	netlink_begin(call, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz(call->header, CTRL_ATTR_FAMILY_NAME, VDPA_GENL_NAME);
	err = netlink_run(call, netlink_family, &call->family);
	if (!err && call->family)
		return 0;
	/* The vDPA bus is not there. */
	err = err ? err : -ENOENT;
close:
	mnl_socket_close(call->socket);
	return err;
}

static void netlink_put_function(struct nlmsghdr *header, const char *address)
{
	mnl_attr_put_strz(header, VDPA_ATTR_MGMTDEV_BUS_NAME, "pci");
	mnl_attr_put_strz(header, VDPA_ATTR_MGMTDEV_DEV_NAME, address);
}

int netlink_add(const char *name, const char *address, const struct netlink_provision *p,
		char why[NETLINK_WHY])
{
	struct netlink_call call;
	int err = netlink_open(&call);

	why[0] = '\0';
	if (err)
		return err;
	netlink_begin(&call, call.family, VDPA_CMD_DEV_NEW, NLM_F_ACK);
	mnl_attr_put_strz(call.header, VDPA_ATTR_DEV_NAME, name);
	netlink_put_function(call.header, address);
	if (p->has_mac)
		mnl_attr_put(call.header, VDPA_ATTR_DEV_NET_CFG_MACADDR, sizeof(p->mac), p->mac);
	if (p->has_mtu)
		mnl_attr_put_u16(call.header, VDPA_ATTR_DEV_NET_CFG_MTU, p->mtu);
	if (p->has_pairs)
		mnl_attr_put_u16(call.header, VDPA_ATTR_DEV_NET_CFG_MAX_VQP, p->pairs);
	if (p->has_features)
		mnl_attr_put_u64(call.header, VDPA_ATTR_DEV_FEATURES, p->features);
	err = netlink_run(&call, NULL, NULL);
	memcpy(why, call.why, sizeof(call.why));
	mnl_socket_close(call.socket);
	return err;
}

int netlink_del(const char *name, char why[NETLINK_WHY])
{
	struct netlink_call call;
	int err = netlink_open(&call);

	why[0] = '\0';
	if (err)
		return err;
	netlink_begin(&call, call.family, VDPA_CMD_DEV_DEL, NLM_F_ACK);
	mnl_attr_put_strz(call.header, VDPA_ATTR_DEV_NAME, name);
	err = netlink_run(&call, NULL, NULL);
	memcpy(why, call.why, sizeof(call.why));
	mnl_socket_close(call.socket);
	return err;
}

static int netlink_take_config(const struct nlattr *attr, void *data)
{
	struct netlink_config *c = data;
	const void *payload = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case VDPA_ATTR_DEV_ID:
		if (len == sizeof(c->id))
			c->id = mnl_attr_get_u32(attr);
		break;
	case VDPA_ATTR_DEV_MAX_VQS:
		if (len == sizeof(c->queues))
			c->queues = mnl_attr_get_u32(attr);
		break;
	case VDPA_ATTR_DEV_NET_CFG_MACADDR:
		c->shown.has_mac = len == sizeof(c->shown.mac);
		if (c->shown.has_mac)
			memcpy(c->shown.mac, payload, sizeof(c->shown.mac));
		break;
	case VDPA_ATTR_DEV_NET_CFG_MTU:
		c->shown.has_mtu = len == sizeof(c->shown.mtu);
		if (c->shown.has_mtu)
			c->shown.mtu = mnl_attr_get_u16(attr);
		break;
	case VDPA_ATTR_DEV_NET_CFG_MAX_VQP:
		c->shown.has_pairs = len == sizeof(c->shown.pairs);
		if (c->shown.has_pairs)
			c->shown.pairs = mnl_attr_get_u16(attr);
		break;
	case VDPA_ATTR_DEV_FEATURES:
		c->shown.has_features = len == sizeof(c->shown.features);
		if (c->shown.has_features)
			c->shown.features = mnl_attr_get_u64(attr);
	}
	return MNL_CB_OK;
}

static int netlink_config_answer(const struct nlmsghdr *header, void *data)
{
	return mnl_attr_parse(header, sizeof(struct genlmsghdr), netlink_take_config, data);
}

static int netlink_ask_device(uint8_t command, const char *name, struct netlink_config *config)
{
	struct netlink_call call;
	int err = netlink_open(&call);

	memset(config, 0, sizeof(*config));
	if (err)
		return err;
	netlink_begin(&call, call.family, command, NLM_F_ACK);
	mnl_attr_put_strz(call.header, VDPA_ATTR_DEV_NAME, name);
	err = netlink_run(&call, netlink_config_answer, config);
	mnl_socket_close(call.socket);
	return err;
}

int netlink_get_config(const char *name, struct netlink_config *config)
{
	return netlink_ask_device(VDPA_CMD_DEV_CONFIG_GET, name, config);
}

int netlink_get_device(const char *name, struct netlink_config *config)
{
	return netlink_ask_device(VDPA_CMD_DEV_GET, name, config);
}

static int netlink_take_function(const struct nlattr *attr, void *data)
{
	struct netlink_function *function = data;
	int type = mnl_attr_get_type(attr);

	if (type == VDPA_ATTR_DEV_SUPPORTED_FEATURES && !mnl_attr_validate(attr, MNL_TYPE_U64))
		function->features = mnl_attr_get_u64(attr);
	else if (type == VDPA_ATTR_DEV_MGMTDEV_MAX_VQS && !mnl_attr_validate(attr, MNL_TYPE_U32))
		function->queues = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int netlink_function_answer(const struct nlmsghdr *header, void *data)
{
	return mnl_attr_parse(header, sizeof(struct genlmsghdr), netlink_take_function, data);
}

int netlink_get_function(const char *address, struct netlink_function *function)
{
	struct netlink_call call;
	int err = netlink_open(&call);

	memset(function, 0, sizeof(*function));
	if (err)
		return err;
	netlink_begin(&call, call.family, VDPA_CMD_MGMTDEV_GET, NLM_F_ACK);
	netlink_put_function(call.header, address);
	err = netlink_run(&call, netlink_function_answer, function);
	mnl_socket_close(call.socket);
	return err;
}

/* Names and counts come in turn. */
struct netlink_counters {
	const char *name;
	netlink_counter tell;
	void *data;
};

static int netlink_take_counter(const struct nlattr *attr, void *data)
{
	struct netlink_counters *c = data;
	int type = mnl_attr_get_type(attr);

	if (type == VDPA_ATTR_DEV_VENDOR_ATTR_NAME && !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
		c->name = mnl_attr_get_str(attr);
	else if (type == VDPA_ATTR_DEV_VENDOR_ATTR_VALUE && c->name &&
		 !mnl_attr_validate(attr, MNL_TYPE_U64))
		c->tell(c->data, c->name, mnl_attr_get_u64(attr));
	return MNL_CB_OK;
}

static int netlink_counters_answer(const struct nlmsghdr *header, void *data)
{
	return mnl_attr_parse(header, sizeof(struct genlmsghdr), netlink_take_counter, data);
}

int netlink_get_counters(const char *name, uint32_t queue, netlink_counter tell, void *data)
{
	struct netlink_counters counters = { NULL, tell, data };
	struct netlink_call call;
	int err = netlink_open(&call);

	if (err)
		return err;
	netlink_begin(&call, call.family, VDPA_CMD_DEV_VSTATS_GET, NLM_F_ACK);
	mnl_attr_put_strz(call.header, VDPA_ATTR_DEV_NAME, name);
	mnl_attr_put_u32(call.header, VDPA_ATTR_DEV_QUEUE_INDEX, queue);
	err = netlink_run(&call, netlink_counters_answer, &counters);
	mnl_socket_close(call.socket);
	return err;
}
