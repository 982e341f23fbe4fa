/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest of 512 bytes for generic.py: SeaBIOS loads it from the first sector of its disk. It writes
 * eight sectors with what is different in each round, reads them back, says "baton: round" on the
 * serial port if they are the same, "baton: wrong" and no more if not, and goes on.
 *
 *   gcc -m32 -nostdlib -Wl,--oformat=binary,-Ttext=0x7c00 -o disk disk.S
 *
 * With -DONCE it is for libvirt.py: iPXE fetches it from the network, again for each round, and is gone
 * back to after one.
 */
	.code16
	.globl	_start

	.set	OUT, 0x8000		/* what is written */
	.set	IN, 0xa000		/* what is read back */
	.set	LENGTH, 8 * 512
	.set	PORT, 0x3f8

_start:
#ifdef ONCE
	pushaw				/* iPXE's, like the stack */
	pushw	%ds
	pushw	%es
#endif
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	cld
#ifdef ONCE
	movb	$0x80, drive		/* the first disk */
	movw	0x46c, %ax		/* the clock's ticks */
	movw	%ax, round
#else
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movb	%dl, drive
#endif
again:
	incw	round
	movw	round, %ax
	movw	$OUT, %di
	movw	$LENGTH / 2, %cx
1:	stosw				/* each word another one */
	addw	$0x1235, %ax
	loop	1b

	movw	$OUT, buffer
	movb	$0x43, %ah		/* extended write */
	call	transfer
	movw	$IN, buffer
	movb	$0x42, %ah		/* extended read */
	call	transfer

	movw	$OUT, %si
	movw	$IN, %di
	movw	$LENGTH / 2, %cx
	repe	cmpsw
	jne	wrong
	movw	$good, %si
	call	say
#ifdef ONCE
	popw	%es
	popw	%ds
	popaw
	xorw	%ax, %ax		/* nothing went wrong */
	lretw
#else
	jmp	again
#endif

transfer:
	xorb	%al, %al
	movb	drive, %dl
	movw	$packet, %si
	int	$0x13
	jc	wrong
	ret

wrong:
	movw	$bad, %si
	call	say
	cli
	hlt

say:
	movw	$PORT, %dx
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	ret

good:	.asciz	"baton: round\n"
bad:	.asciz	"baton: wrong\n"
drive:	.byte	0
round:	.word	0
	.balign	4
packet:
	.byte	16, 0
	.word	8			/* sectors */
buffer:	.word	0, 0			/* offset, segment */
	.quad	8			/* the first sector */

	.org	510
	.word	0xaa55
