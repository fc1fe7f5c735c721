/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests that prove accelerators.
 *
 * A guest that only says "I ran" proves too little. On a host that is virtual itself, KVM can emulate what its own
 * hypervisor does not let it run: a handful of instructions arrive, and firmware takes minutes or for ever. So the guest
 * does what every firmware and kernel does first, and enough of it that emulating each instruction through the kernel
 * does not come to an end in time, while real hardware needs milliseconds and TCG a fraction of a second.
 *
 * The bytes are written here, one instruction a line, so that building the library takes no second assembler. All is
 * done without a stack of devices: QEMU itself ends when the guest says so, with a status that nothing else gives.
 */
#include "host/proof-guest.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- x86 --- */

/*
 * A BIOS of 64 KiB, which QEMU maps below 1 MiB and below 4 GiB; the code is at 0xFFE00. It goes from real to protected
 * mode, sleeps until the timer has interrupted it eight times, adds up numbers in memory with paging off, as firmware
 * does, then four times as many in long mode, as kernels do, and gives QEMU its exit code through isa-debug-exit.
 *
 * Memory: interrupt gates 0x1000, page tables 0x2000 to 0x4FFF, the sum 0x5000, stack below 0x7000.
 */
static const guint8 x86_code[] = {
	/* FFE00, 16 bits */
	0xfa,                                           /* cli */
	0x2e, 0x66, 0x0f, 0x01, 0x16, 0xf9, 0xfe,       /* lgdtl %cs:0xFEF9 */
	0x0f, 0x20, 0xc0,                               /* mov %cr0, %eax */
	0x0c, 0x01,                                     /* or $1, %al: protected mode */
	0x0f, 0x22, 0xc0,                               /* mov %eax, %cr0 */
	0x66, 0xea, 0x18, 0xfe, 0x0f, 0x00, 0x08, 0x00, /* ljmpl $8, $0xFFE18 */
	/* FFE18, 32 bits */
	0xb8, 0x10, 0x00, 0x00, 0x00,                   /* mov $0x10, %eax */
	0x8e, 0xd8,                                     /* mov %eax, %ds */
	0x8e, 0xd0,                                     /* mov %eax, %ss */
	0xbc, 0x00, 0x70, 0x00, 0x00,                   /* mov $0x7000, %esp */
	0xc7, 0x05, 0x00, 0x11, 0x00, 0x00, 0xe1, 0xfe, 0x08, 0x00, /* movl $0x0008FEE1, 0x1100: gate 32 to FFEE1 */
	0xc7, 0x05, 0x04, 0x11, 0x00, 0x00, 0x00, 0x8e, 0x0f, 0x00, /* movl $0x000F8E00, 0x1104 */
	0x0f, 0x01, 0x1d, 0xff, 0xfe, 0x0f, 0x00,       /* lidt 0xFFEFF */
	0x8d, 0x35, 0xe9, 0xfe, 0x0f, 0x00,             /* lea 0xFFEE9, %esi */
	0xb9, 0x08, 0x00, 0x00, 0x00,                   /* mov $8, %ecx */
	0xac,                                           /* 1: lodsb */
	0x0f, 0xb6, 0xd0,                               /* movzbl %al, %edx */
	0xac,                                           /* lodsb */
	0xee,                                           /* out %al, %dx */
	0xe2, 0xf8,                                     /* loop 1b */
	0xc7, 0x05, 0xf0, 0x00, 0xe0, 0xfe, 0xff, 0x01, 0x00, 0x00, /* movl $0x1FF, 0xFEE000F0: local APIC on */
	0xc7, 0x05, 0x50, 0x03, 0xe0, 0xfe, 0x00, 0x07, 0x00, 0x00, /* movl $0x700, 0xFEE00350: LINT0 takes the PIC */
	0xfb,                                           /* sti */
	0xf4,                                           /* 2: hlt */
	0x83, 0xfd, 0x08,                               /* cmp $8, %ebp */
	0x72, 0xfa,                                     /* jb 2b */
	0xfa,                                           /* cli */
	0xb9, 0x00, 0x00, 0x10, 0x00,                   /* mov $0x100000, %ecx */
	0x01, 0x0d, 0x00, 0x50, 0x00, 0x00,             /* 3: add %ecx, 0x5000 */
	0x49,                                           /* dec %ecx */
	0x75, 0xf7,                                     /* jnz 3b */
	0xc7, 0x05, 0x00, 0x20, 0x00, 0x00, 0x03, 0x30, 0x00, 0x00, /* movl $0x3003, 0x2000 */
	0xc7, 0x05, 0x00, 0x30, 0x00, 0x00, 0x03, 0x40, 0x00, 0x00, /* movl $0x4003, 0x3000 */
	0xc7, 0x05, 0x00, 0x40, 0x00, 0x00, 0x83, 0x00, 0x00, 0x00, /* movl $0x83, 0x4000: 2 MiB as they are */
	0xb8, 0x20, 0x00, 0x00, 0x00,                   /* mov $0x20, %eax */
	0x0f, 0x22, 0xe0,                               /* mov %eax, %cr4: PAE */
	0xb8, 0x00, 0x20, 0x00, 0x00,                   /* mov $0x2000, %eax */
	0x0f, 0x22, 0xd8,                               /* mov %eax, %cr3 */
	0xb9, 0x80, 0x00, 0x00, 0xc0,                   /* mov $0xC0000080, %ecx */
	0x0f, 0x32,                                     /* rdmsr */
	0x80, 0xcc, 0x01,                               /* or $1, %ah: long mode */
	0x0f, 0x30,                                     /* wrmsr */
	0x0f, 0x20, 0xc0,                               /* mov %cr0, %eax */
	0x0f, 0xba, 0xe8, 0x1f,                         /* bts $31, %eax: paging */
	0x0f, 0x22, 0xc0,                               /* mov %eax, %cr0 */
	0xea, 0xc9, 0xfe, 0x0f, 0x00, 0x18, 0x00,       /* ljmp $0x18, $0xFFEC9 */
	/* FFEC9, 64 bits */
	0xb9, 0x00, 0x00, 0x40, 0x00,                   /* mov $0x400000, %ecx */
	0x48, 0x01, 0x0c, 0x25, 0x00, 0x50, 0x00, 0x00, /* 4: add %rcx, 0x5000 */
	0xff, 0xc9,                                     /* dec %ecx */
	0x75, 0xf4,                                     /* jnz 4b */
	0xb0, 0x2a,                                     /* mov $42, %al */
	0xe6, 0xf4,                                     /* out %al, $0xF4: QEMU ends with 2 * 42 + 1 */
	0xf4,                                           /* 5: hlt */
	0xeb, 0xfd,                                     /* jmp 5b */
	/* FFEE1, the timer, 32 bits */
	0x45,                                           /* inc %ebp */
	0x50,                                           /* push %eax */
	0xb0, 0x20,                                     /* mov $0x20, %al */
	0xe6, 0x20,                                     /* out %al, $0x20: end of interrupt */
	0x58,                                           /* pop %eax */
	0xcf,                                           /* iret */
	/* FFEE9: ports and what they get. PIC: interrupts from 32 on, only the timer. */
	0x20, 0x11, 0x21, 0x20, 0x21, 0x04, 0x21, 0x01, 0x21, 0xfe,
	/* Timer: again and again, 1193 of its steps, a millisecond. */
	0x43, 0x34, 0x40, 0xa9, 0x40, 0x04,
	/* FFEF9: segments, 32 bytes at FFF08; FFEFF: gates, up to number 32, at 1000 */
	0x1f, 0x00, 0x08, 0xff, 0x0f, 0x00,
	0x07, 0x01, 0x00, 0x10, 0x00, 0x00,
	/* FFF05 */
	0x0f, 0x1f, 0x00,                               /* nothing, to get even */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, /* 08: code, 32 bits */
	0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00, /* 10: data */
	0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xaf, 0x00, /* 18: code, 64 bits */
};

/* Where a PC begins: FFFF0. */
static const guint8 x86_reset[] = { 0xe9, 0x0d, 0xfe }; /* jmp 0xFE00 */

enum {
	X86_RESET_OFFSET = 0xfff0
};

static const char *const x86_machine[] = { "-machine", "pc",      "-m",
	                                       "2",        "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
	                                       NULL };

/* --- aarch64 --- */

/*
 * A kernel without a header, which QEMU puts 512 KiB into the memory. It adds up numbers in memory, sees its clock go on
 * by ten milliseconds, and switches the machine off through PSCI, after which QEMU ends with 0.
 */
static const guint8 arm_code[] = {
	0x00, 0x10, 0x38, 0xd5, /*    mrs x0, sctlr_el1 */
	0x00, 0x00, 0x74, 0xb2, /*    orr x0, x0, #0x1000: instructions may be cached */
	0x00, 0x10, 0x18, 0xd5, /*    msr sctlr_el1, x0 */
	0xdf, 0x3f, 0x03, 0xd5, /*    isb */
	0x81, 0x7f, 0x00, 0x10, /*    adr x1, .+0xFF0 */
	0x82, 0x00, 0xa0, 0x52, /*    mov w2, #0x40000 */
	0x23, 0x00, 0x40, 0xf9, /* 1: ldr x3, [x1] */
	0x63, 0x00, 0x02, 0x8b, /*    add x3, x3, x2 */
	0x23, 0x00, 0x00, 0xf9, /*    str x3, [x1] */
	0x42, 0x04, 0x00, 0x71, /*    subs w2, w2, #1 */
	0x81, 0xff, 0xff, 0x54, /*    b.ne 1b */
	0x04, 0xe0, 0x3b, 0xd5, /*    mrs x4, cntfrq_el0 */
	0x85, 0x0c, 0x80, 0x52, /*    mov w5, #100 */
	0x84, 0x08, 0xc5, 0x9a, /*    udiv x4, x4, x5 */
	0x45, 0xe0, 0x3b, 0xd5, /*    mrs x5, cntvct_el0 */
	0x46, 0xe0, 0x3b, 0xd5, /* 2: mrs x6, cntvct_el0 */
	0xc6, 0x00, 0x05, 0xcb, /*    sub x6, x6, x5 */
	0xdf, 0x00, 0x04, 0xeb, /*    cmp x6, x4 */
	0xa3, 0xff, 0xff, 0x54, /*    b.lo 2b */
	0x00, 0x01, 0x80, 0x52, /*    mov w0, #8 */
	0x00, 0x80, 0xb0, 0x72, /*    movk w0, #0x8400, lsl #16: SYSTEM_OFF */
	0x02, 0x00, 0x00, 0xd4, /*    hvc #0 */
	0x7f, 0x20, 0x03, 0xd5, /* 3: wfi */
	0xff, 0xff, 0xff, 0x17, /*    b 3b */
};

static const char *const arm_machine[] = { "-machine", "virt", "-m", "16", NULL };

static const UtmProofGuest guests[] = {
	{ "x86_64", x86_machine, "-bios", "qemu64", 85, 0x10000, 0xfe00, sizeof(x86_code), x86_code },
	{ "aarch64", arm_machine, "-kernel", "max", 0, 0x1000, 0, sizeof(arm_code), arm_code },
};

const UtmProofGuest *utm__proof_guest_find(const char *architecture)
{
	for (gsize i = 0; i < G_N_ELEMENTS(guests); i++) {
		if (!g_strcmp0(guests[i].architecture, architecture))
			return &guests[i];
	}
	return NULL;
}

static guint8 *make_image(const UtmProofGuest *guest)
{
	guint8 *image = g_malloc0(guest->image_size);

	memcpy(image + guest->code_offset, guest->code, guest->code_size);
	if (guest->code == x86_code)
		memcpy(image + X86_RESET_OFFSET, x86_reset, sizeof(x86_reset));
	return image;
}

int utm__proof_guest_open(const UtmProofGuest *guest, UtmError **error)
{
	utm_autofd fd = memfd_create("utm-proof", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	g_autofree guint8 *image = make_image(guest);

	if (fd < 0 || write(fd, image, guest->image_size) != (ssize_t)guest->image_size) {
		utm__fail_errno(error, errno, NULL, "anonymous memory for a test guest");
		return -1;
	}
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	int sealed = fd;

	fd = -1;
	return sealed;
}
