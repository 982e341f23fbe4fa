/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI function that is a process: QEMU plugs it as vfio-user-pci, and the
 * VM's kernel takes it for hardware. What the parts know of each other:
 *
 *   main.c      the process: sockets, mailbox, log
 *   model.c     what is done when no register is being answered
 *     wire.c      vfio-user messages: QEMU's requests, our DMA
 *       pci.c       configuration space, BARs, interrupts, FLR
 *         caps.c      capabilities as no function should have them
 *         regs.c      virtio-pci's registers, status, reset
 *     queue.c     rings, by DMA
 *       net.c       frames and the control queue
 *       blk.c       requests
 *     settings.c  what it shall be, and what it does wrong
 *     wrong.c     what it does wrong by itself
 *
 * One thread. Registers are answered at once, even while a DMA of ours is under
 * way (QEMU may be waiting for the answer before it does the DMA), so handlers of
 * registers never do DMA: they leave it to model_work(). A reset that comes while
 * a DMA is under way is carried out when that has ended, and status says so.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define QUEUES_MAX 1025 /* 512 pairs and a control queue */
#define VECTORS_MAX 2048
#define NO_VECTOR 0xffff
#define PART_MAX 260 /* buffers of one chain */
#define SEEN_MAX 16
#define NR_BARS 6
#define NR_CAPS 4
#define CAP_SIZE 20
#define NR_REGIONS 9 /* BARs, ROM, configuration, VGA: vfio's numbers */
#define REGION_CONFIG 7
#define FRAME_MAX 65550
#define VLANS 4096
#define MACS_MAX 64

#define BIT(n) (1ull << (n))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Where a region of registers is. */
struct place {
	u32 bar, offset;
};

/* What a topology says, or a command at run time. A number each; see settings.c. */
struct settings {
	/* what it is; not to be changed later */
	u64 class;	/* virtio's number: 1 net, 2 blk */
	u64 pairs;	/* net: queue pairs; the control queue comes behind them */
	u64 queues;	/* blk */
	u64 claims;	/* it says that it has so many queues; 0: the truth */
	u64 queue_size; /* the largest, of each queue; size_N for one alone */
	u64 vectors;	/* of MSI-X; 0: has no such capability */
	u64 flr, af, ats, pasid;
	u64 vendor, device, subvendor, subdevice;
	u64 ring_index;	   /* registers as IFC VFs have them, in BAR 4 */
	u64 multiplier;	   /* bytes from doorbell to doorbell */
	u64 same_doorbell; /* all queues have one */
	u64 bar64;	   /* bit mask: BARs of 64 bits */
	u64 mac, mtu;
	/* BAR and offset in one number, 0xB0000000 | offset: see place_of() */
	u64 common, isr, config, doorbells, msix;

	/* what it can do; the driver may have seen it */
	u64 features; /* offered */
	u64 demand;   /* FEATURES_OK is refused without these */
	u64 refuse;   /* and with any of these */
	u64 filters;  /* entries of the table of addresses; more make it promiscuous */
	u64 command_ms, delay_ms, reset_ms, flr_ms;
	u64 queue_reset_ms; /* how long a queue that is being reset runs on */
	u64 reorder;	    /* answers in reverse order */
	u64 silent;	    /* its interrupts for used elements are late, and do not come */
	u64 waits;	    /* looks at a queue when its doorbell rings, and not before */
	u64 held;	    /* blk: the first requests of a batch, which it never answers */

	/* what it does wrong */
	u64 ones;	   /* registers read as all ones */
	u64 vanish;	   /* configuration space as well */
	u64 no_generation; /* configuration changes, its generation does not */
	u64 unsettled;	   /* the generation changes with each read */
	u64 stray_ms;	   /* after a reset it goes on writing, for so long */
	u64 no_reset;	   /* 1: it does not listen to status 0; 2: nor to an FLR */
	u64 no_enable;	   /* queue_enable reads 0 */
	u64 wrong_queue;   /* the queue of which the next ones speak */
	u64 deaf;	   /* it does not look at it */
	u64 mute;	   /* used, and nothing written */
	u64 ack;	   /* the answer to each command, 256: an honest one */
	u64 wrong_id;	   /* added to the id of each used element */
	u64 twice;	   /* so many more used elements */
	u64 jump;	   /* added to the used index */
	u64 caps_seed;	   /* capabilities: see caps.c; 0: honest ones */
};

struct buffer {
	u64 addr;
	u32 len;
	bool write;
};

struct chain {
	u16 head; /* its id, in a packed ring */
	u16 entries;
	unsigned int nr;
	struct buffer part[PART_MAX];
};

struct queue {
	u16 index;
	u16 max, size, vector;
	bool enabled, resetting;
	bool broken;  /* a DMA failed, or nonsense was found: rests until reset */
	bool kicked;  /* by the driver, or by what makes us look again */
	u64 due;      /* ms: not to be looked at before */
	u64 reset_at; /* ms: when it is reset, if @resetting */
	u64 desc, avail, used;
	u16 next_avail, next_used;
	u16 told;		    /* next_used, when the driver was told last */
	u16 next_desc;		    /* IN_ORDER: the next chain begins here */
	bool avail_wrap, used_wrap; /* packed */
	unsigned int nr_seen;
	struct buffer seen[SEEN_MAX]; /* the last that it may write to */
};

struct net {
	int fd; /* datagrams, a frame each */
	u8 mac[6];
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	bool overflow, multi_overflow;
	unsigned int nr_uni, nr_multi;
	u8 table[2 * MACS_MAX][6]; /* unicast, then multicast */
	u8 vlans[VLANS / 8];
	u16 pairs; /* in use */
	u64 frames_in, frames_out, commands;
};

struct blk {
	int fd;
	u64 sectors;
};

struct model {
	struct settings set;
	u16 sizes[QUEUES_MAX]; /* size_N; 0: queue_size */
	u64 more, less;	       /* features besides those of the class, and without */
	char name[20];	       /* of a disk, its serial number as well */
	char *socket, *dir, *file, *peer_local, *peer_remote;

	/* wire.c */
	int fd;
	u16 next_id;
	unsigned int in_dma;
	bool gone; /* nobody at the other end */
	int (*dma)(struct model *m, bool write, u64 addr, void *data, size_t len);
	int irq_fd[VECTORS_MAX];
	u64 irqs;

	/* pci.c */
	u8 pci[4096];
	u8 pci_write[4096]; /* the bits that can be written */
	u8 pcie, msix_cap, af_cap;
	u8 caps[NR_CAPS * CAP_SIZE]; /* virtio's, as they were before anybody changed them */
	u32 bar_size[NR_BARS];

	/* regs.c */
	u8 status, generation, isr;
	u32 device_select, driver_select, queue_select;
	u64 driver_features;
	u16 config_vector;
	u64 epoch;	   /* how often it was reset */
	bool serves;	   /* though it wants to be reset */
	bool reset_due;	   /* asked for while a DMA is under way, or slow */
	bool reset_is_flr; /* of the whole function */
	u64 reset_at;	   /* ms */
	u64 stray_until, strays, strays_refused;
	unsigned int nr_queues;
	struct queue q[QUEUES_MAX];
	u8 config[96];
	unsigned int config_len;

	struct net net;
	struct blk blk;
	int log_fd;
	u64 log_start;
};

/* main.c */
u64 model_now(void); /* ms */
void model_log(struct model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* model.c: everything between settings and the first message; 0 or -errno */
int model_init(struct model *m);
void model_end(struct model *m);
void model_work(struct model *m);
u64 model_next(const struct model *m); /* ms: when there is work that waits for time */

/* The DMA of all but wrong.c: none during a reset. 0 or -errno. */
int model_read(struct model *m, u64 addr, void *data, size_t len);
int model_write(struct model *m, u64 addr, const void *data, size_t len);

static inline struct place place_of(u64 setting)
{
	return (struct place){ .bar = setting >> 28, .offset = setting & 0xfffffff };
}

static inline bool has_feature(const struct model *m, unsigned int bit)
{
	return m->driver_features & BIT(bit);
}

#endif /* MODEL_H */
