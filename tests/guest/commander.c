/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest without an operating system that does what its first serial port tells it, within a second of power-on:
 *
 *     q   power off (ACPI S5)        r   reset          h   stand still with interrupts off
 *     f   write 2 MiB to the port    any other byte is echoed
 *
 * It says "ready" when it listens. An ELF file with a multiboot header, so `-kernel` loads it on pc and q35.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define MULTIBOOT_MAGIC 0x1badb002u
#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define PM1A_CONTROL 0x604 /* where QEMU's firmware puts it on both machines */

__attribute__((section(".header"), used)) static const u32 header[] = { MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC };

static inline void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put(u8 byte)
{
	while (!(inb(LINE_STATUS) & 0x20))
		;
	outb(COM1, byte);
}

static void say(const char *text)
{
	while (*text)
		put((u8)*text++);
}

static void flood(void)
{
	for (u32 i = 0; i < 2u * 1024 * 1024 / 8; i++) {
		static const char digits[] = "0123456789abcdef";
		for (int shift = 24; shift >= 0; shift -= 4)
			put((u8)digits[i >> shift & 15]);
		put('\n');
	}
}

static void obey(u8 command)
{
	switch (command) {
	case 'q':
		outw(PM1A_CONTROL, 0x2000);
		break;
	case 'r':
		outb(0x64, 0xfe);
		break;
	case 'h':
		__asm__ volatile("cli; hlt");
		break;
	case 'f':
		flood();
		break;
	default:
		put(command);
	}
}

void run(void);
void run(void)
{
	outb(COM1 + 2, 0x07); /* FIFO on */
	say("ready\n");
	for (;;)
		if (inb(LINE_STATUS) & 1)
			obey(inb(COM1));
}

__asm__(".globl entry\n"
        "entry:\n"
        "	mov $stack_end, %esp\n"
        "	call run\n"
        ".bss\n"
        ".balign 16\n"
        "	.skip 4096\n"
        "stack_end:\n"
        ".text\n");
