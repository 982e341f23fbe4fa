// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-user, as QEMU speaks it (docs/interop/vfio-user.rst there): messages of a
 * header of 16 bytes and what belongs to the command, both ways over one socket.
 * QEMU asks for regions and interrupts, we ask for DMA.
 *
 * What QEMU says of its memory (DMA_MAP) is answered and not used: DMA goes by
 * messages, so that QEMU's IOMMU and the bus mastering bit have their say.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pci.h"
#include "regs.h"
#include "wire.h"

#define IRQ_MSIX 2
#define NR_IRQS 5
#define DEVICE_RESET 1
#define DEVICE_PCI 2
#define REGION_RW 3
#define IRQ_EVENTFD 1
#define IRQ_NORESIZE 8
#define SET_DATA_NONE 1
#define SET_DATA_EVENTFD 4
#define SET_TRIGGER 32

/* The greatest that QEMU can be asked to read or write at once; larger ones are cut up. */
#define DMA_MAX (WIRE_MAX - 64)
#define DMA_HEADER 32

static const char capabilities[] = "{\"capabilities\":{\"max_msg_fds\":16}}";

/* struct-s of the wire are read and written by these: nothing is aligned, nothing is trusted. */
static u32 get32(const u8 *p)
{
	u32 value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static u64 get64(const u8 *p)
{
	u64 value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void put32(u8 *p, u32 value)
{
	memcpy(p, &value, sizeof(value));
}

static void put64(u8 *p, u64 value)
{
	memcpy(p, &value, sizeof(value));
}

/* Each handler gets what follows the header, and returns the length of its answer or -errno. */

static int wire_version(struct model *m, const u8 *body, size_t len, struct wire_fds *fds, u8 *out)
{
	(void)m;
	(void)fds;
	if (len < 4 || body[0] || body[1])
		return -EINVAL;
	memset(out, 0, 4); /* version 0.0 */
	memcpy(out + 4, capabilities, sizeof(capabilities));
	return 4 + sizeof(capabilities);
}

static int wire_ignore(struct model *m, const u8 *body, size_t len, struct wire_fds *fds, u8 *out)
{
	(void)m;
	(void)fds;
	if (len > WIRE_MAX / 2)
		return -EINVAL;
	memcpy(out, body, len);
	return len;
}

static int wire_info(struct model *m, const u8 *body, size_t len, struct wire_fds *fds, u8 *out)
{
	(void)m;
	(void)body;
	(void)fds;
	if (len < 16)
		return -EINVAL;
	put32(out, 16);
	put32(out + 4, DEVICE_PCI | DEVICE_RESET);
	put32(out + 8, NR_REGIONS);
	put32(out + 12, NR_IRQS);
	return 16;
}

static int wire_region_info(struct model *m, const u8 *body, size_t len, struct wire_fds *fds,
			    u8 *out)
{
	u32 index;

	(void)fds;
	if (len < 32)
		return -EINVAL;
	index = get32(body + 8);
	if (index >= NR_REGIONS)
		return -EINVAL;
	memset(out, 0, 32);
	put32(out, 32);
	put32(out + 8, index);
	put64(out + 16, pci_region_size(m, index));
	if (pci_region_size(m, index))
		put32(out + 4, REGION_RW);
	return 32;
}

static int wire_irq_info(struct model *m, const u8 *body, size_t len, struct wire_fds *fds, u8 *out)
{
	u32 index;

	(void)fds;
	if (len < 16)
		return -EINVAL;
	index = get32(body + 8);
	if (index >= NR_IRQS)
		return -EINVAL;
	put32(out, 16);
	put32(out + 4, IRQ_EVENTFD | IRQ_NORESIZE);
	put32(out + 8, index);
	put32(out + 12, index == IRQ_MSIX ? m->set.vectors : 0);
	return 16;
}

static int wire_set_irqs(struct model *m, const u8 *body, size_t len, struct wire_fds *fds, u8 *out)
{
	u32 flags, index, start, count, i;

	(void)out;
	if (len < 20)
		return -EINVAL;
	flags = get32(body + 4);
	index = get32(body + 8);
	start = get32(body + 12);
	count = get32(body + 16);
	if (index >= NR_IRQS || !(flags & SET_TRIGGER))
		return -EINVAL;
	if (index != IRQ_MSIX)
		return 0;
	if (flags & SET_DATA_NONE && !count) { /* none any more */
		for (i = 0; i < m->set.vectors; i++)
			pci_set_irq(m, i, -1);
		return 0;
	}
	if (!(flags & SET_DATA_EVENTFD) || start >= m->set.vectors ||
	    count > m->set.vectors - start || (fds->nr && fds->nr != count))
		return -EINVAL;
	for (i = 0; i < count; i++) {
		pci_set_irq(m, start + i, fds->nr ? fds->fd[i] : -1);
		if (fds->nr)
			fds->fd[i] = -1;
	}
	return 0;
}

/* The offset, region and length that reads and writes begin with. */
static bool wire_region(const struct model *m, const u8 *body, size_t len, u64 *offset, u32 *region,
			u32 *count)
{
	u64 size;

	if (len < 16)
		return false;
	*offset = get64(body);
	*region = get32(body + 8);
	*count = get32(body + 12);
	if (*region >= NR_REGIONS || !*count || *count > WIRE_MAX / 2)
		return false;
	size = pci_region_size(m, *region);
	return *offset < size && *count <= size - *offset;
}

static int wire_read(struct model *m, const u8 *body, size_t len, struct wire_fds *fds, u8 *out)
{
	u32 region, count;
	u64 offset;

	(void)fds;
	if (!wire_region(m, body, len, &offset, &region, &count))
		return -EINVAL;
	memcpy(out, body, 16);
	pci_read(m, region, offset, out + 16, count);
	return 16 + count;
}

static int wire_write(struct model *m, const u8 *body, size_t len, struct wire_fds *fds, u8 *out)
{
	u32 region, count;
	u64 offset;

	(void)fds;
	if (!wire_region(m, body, len, &offset, &region, &count) || len - 16 < count)
		return -EINVAL;
	memcpy(out, body, 16);
	pci_write(m, region, offset, body + 16, count);
	return 16;
}

static int wire_reset(struct model *m, const u8 *body, size_t len, struct wire_fds *fds, u8 *out)
{
	(void)body;
	(void)len;
	(void)fds;
	(void)out;
	regs_ask_reset(m, true);
	return 0;
}

static int (*const handlers[])(struct model *m, const u8 *body, size_t len, struct wire_fds *fds,
			       u8 *out) = {
	[WIRE_VERSION] = wire_version,
	[WIRE_DMA_MAP] = wire_ignore,
	[WIRE_DMA_UNMAP] = wire_ignore,
	[WIRE_GET_INFO] = wire_info,
	[WIRE_GET_REGION_INFO] = wire_region_info,
	[WIRE_GET_IRQ_INFO] = wire_irq_info,
	[WIRE_SET_IRQS] = wire_set_irqs,
	[WIRE_REGION_READ] = wire_read,
	[WIRE_REGION_WRITE] = wire_write,
	[WIRE_RESET] = wire_reset,
};

size_t wire_request(struct model *m, const u8 *msg, size_t len, struct wire_fds *fds, u8 *reply)
{
	struct wire_header h;
	int ret = -ENOSYS;

	if (len < sizeof(h))
		return 0;
	memcpy(&h, msg, sizeof(h));
	if (h.command < ARRAY_LEN(handlers) && handlers[h.command])
		ret = handlers[h.command](m, msg + sizeof(h), len - sizeof(h), fds,
					  reply + sizeof(h));
	if (h.flags & WIRE_NO_REPLY)
		return 0;
	h.flags = WIRE_REPLY | (ret < 0 ? WIRE_ERROR : 0);
	h.error = ret < 0 ? -ret : 0;
	h.size = sizeof(h) + (ret > 0 ? ret : 0);
	memcpy(reply, &h, sizeof(h));
	return h.size;
}

static void wire_send(struct model *m, const void *data, size_t len)
{
	const u8 *p = data;

	while (len && !m->gone) {
		ssize_t n = send(m->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			m->gone = true;
			return;
		}
		p += n;
		len -= n;
	}
}

/* Exactly @len bytes; file descriptors come with the first of a message. */
static bool wire_fill(struct model *m, u8 *data, size_t len, struct wire_fds *fds)
{
	char control[CMSG_SPACE(WIRE_FDS * sizeof(int))] __attribute__((aligned(8)));
	struct cmsghdr *c;
	ssize_t n;

	while (len) {
		struct iovec iov = { .iov_base = data, .iov_len = len };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };

		n = recvmsg(m->fd, &msg, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			m->gone = true;
			return false;
		}
		for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			size_t nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
				continue;
			for (size_t i = 0; i < nr; i++) {
				int fd;

				memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
				if (fds->nr < WIRE_FDS)
					fds->fd[fds->nr++] = fd;
				else
					close(fd);
			}
		}
		data += n;
		len -= n;
	}
	return true;
}

/* The answer to a DMA; the data, if it was a read, are behind address and length. */
static int wire_dma_reply(const struct wire_header *h, const u8 *msg, void *data, size_t len)
{
	if (h->flags & WIRE_ERROR)
		return h->error && h->error < 4096 ? -(int)h->error : -EIO;
	if (h->command == WIRE_DMA_READ) {
		if (h->size < DMA_HEADER + len)
			return -EPROTO;
		memcpy(data, msg + DMA_HEADER, len);
	}
	return 0;
}

bool wire_receive(struct model *m, u16 id, void *data, size_t len, int *error)
{
	static u8 reply[WIRE_MAX + 64];
	struct wire_fds fds = { 0 };
	struct wire_header h;
	bool mine = false;
	u8 *msg = NULL;
	size_t n;

	if (!wire_fill(m, (u8 *)&h, sizeof(h), &fds))
		goto out;
	if (h.size < sizeof(h) || h.size > WIRE_MAX) {
		model_log(m, "protocol: a message of %u bytes", h.size);
		m->gone = true;
		goto out;
	}
	msg = malloc(h.size);
	if (!msg) {
		m->gone = true;
		goto out;
	}
	memcpy(msg, &h, sizeof(h));
	if (!wire_fill(m, msg + sizeof(h), h.size - sizeof(h), &fds))
		goto out;
	if ((h.flags & WIRE_TYPE) == WIRE_REPLY) {
		mine = data && h.id == id;
		if (mine)
			*error = wire_dma_reply(&h, msg, data, len);
	} else {
		n = wire_request(m, msg, h.size, &fds, reply);
		wire_send(m, reply, n);
	}
out:
	for (unsigned int i = 0; i < fds.nr; i++)
		if (fds.fd[i] >= 0)
			close(fds.fd[i]);
	free(msg);
	return mine;
}

static int wire_dma_one(struct model *m, bool write, u64 addr, u8 *data, size_t len)
{
	static u8 msg[WIRE_MAX];
	struct wire_header h = { .id = m->next_id++,
				 .command = write ? WIRE_DMA_WRITE : WIRE_DMA_READ,
				 .size = DMA_HEADER + (write ? len : 0) };
	int error = -ENODEV;
	u8 head[DMA_HEADER] = { 0 };

	memcpy(head, &h, sizeof(h));
	put64(head + 16, addr);
	put32(head + 24, len);
	memcpy(msg, head, sizeof(head));
	if (write)
		memcpy(msg + DMA_HEADER, data, len);
	wire_send(m, msg, h.size);
	m->in_dma++;
	while (!m->gone && !wire_receive(m, h.id, data, len, &error))
		;
	m->in_dma--;
	return m->gone ? -ENODEV : error;
}

int wire_dma(struct model *m, bool write, u64 addr, void *data, size_t len)
{
	u8 *p = data;
	int err = 0;

	while (len && !err) {
		size_t n = len < DMA_MAX ? len : DMA_MAX;

		err = wire_dma_one(m, write, addr, p, n);
		addr += n;
		p += n;
		len -= n;
	}
	return err;
}
