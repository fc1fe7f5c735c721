/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that is nothing but a screen and a keyboard: no operating system, up in well under a second. QEMU loads it
 * with
 * -kernel as a multiboot image; -append says what to do:
 *
 *     w=800 h=600       size of the picture; the S key switches to w2=, h2= and back
 *     fps=30            pictures per second, 19 at least; 0 for as many as it can
 *     mode=test         a picture with a known colour at every pixel, see test_colour(); a key changes the patch
 *     mode=grad         each picture is new all over
 *     flip=1            ... and painted where nobody sees it, then shown at once; 1920x1080 wants 32 MiB of VGA memory
 *     mode=box          a small square moves, all else stays
 *
 * In grad and box, picture n carries the number n in its first 16 pixels, painted first, and in its last 16, painted
 * last: equal numbers are a whole picture. When it is painted, the byte n & 255 goes to port 0xe9 (isa-debugcon). In
 * test mode the port tells 0 for a painted picture and every byte that comes from the keyboard.
 */
#include <stdbool.h>
#include <stdint.h>

#define MULTIBOOT_MAGIC 0x1badb002u
#define PATCH_SIDE 32

/* Also orders what is painted: the byte that tells of a picture goes out after its pixels. */
static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void painted_so_far(void)
{
	asm volatile("" : : : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;
	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;
	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* ---------------------------------------------------------------- command line */

/* What follows `name` (which ends with '=') on the command line, or NULL. */
static const char *option(const char *line, const char *name)
{
	for (; *line; line++) {
		const char *at = line, *expected = name;
		while (*expected && *at == *expected) {
			at++;
			expected++;
		}
		if (!*expected)
			return at;
	}
	return 0;
}

static uint32_t number(const char *line, const char *name, uint32_t otherwise)
{
	const char *digits = option(line, name);
	uint32_t value = 0;
	if (!digits)
		return otherwise;
	while (*digits >= '0' && *digits <= '9')
		value = value * 10 + (uint32_t)(*digits++ - '0');
	return value;
}

/* ---------------------------------------------------------------- screen */

static struct {
	uint32_t *memory;
	uint32_t *pixels; /* what is painted on: the memory, or its second half */
	uint32_t width, height;
} screen;

static uint32_t pci_read(uint32_t device, uint32_t offset)
{
	out32(0xcf8, 0x80000000u + (device << 11) + offset);
	return in32(0xcfc);
}

/* The linear frame buffer is the first BAR of the first display controller on bus 0. */
static void find_screen(void)
{
	for (uint32_t device = 0; device < 32; device++) {
		uint32_t class_code = pci_read(device, 0x08) >> 24;
		if (class_code == 0x03) {
			screen.memory = (uint32_t *)(pci_read(device, 0x10) & ~0xfu);
			return;
		}
	}
}

static void adapter(uint16_t index, uint16_t value)
{
	out16(0x1ce, index);
	out16(0x1cf, value);
}

/* Bochs VBE: off, width, height, depth, on with a linear buffer. Then the VGA attribute controller unblanks. */
static void set_size(uint32_t width, uint32_t height)
{
	screen.width = width;
	screen.height = height;
	screen.pixels = screen.memory;
	adapter(4, 0);
	adapter(1, (uint16_t)width);
	adapter(2, (uint16_t)height);
	adapter(3, 32);
	adapter(4, 0x41);
	(void)in8(0x3da);
	out8(0x3c0, 0x20);
}

/* Shows what was painted on, and turns to the other half. */
static void flip(void)
{
	bool second = screen.pixels != screen.memory;
	adapter(9, second ? (uint16_t)screen.height : 0);
	screen.pixels = screen.memory + (second ? 0 : screen.width * screen.height);
}

/* ---------------------------------------------------------------- clock */

struct gate {
	uint16_t low, selector;
	uint8_t zero, type;
	uint16_t high;
} __attribute__((packed));

struct table {
	uint16_t limit;
	const void *base;
} __attribute__((packed));

static const uint64_t segments[] = { 0, 0x00cf9a000000ffffull, 0x00cf92000000ffffull };
static struct gate gates[0x21];

/* The interrupt does nothing but end the processor's nap. */
void clock_interrupt(void);
asm("clock_interrupt:\n"
    "	push %eax\n"
    "	mov $0x20, %al\n"
    "	out %al, $0x20\n"
    "	pop %eax\n"
    "	iret\n");

static void load_tables(void)
{
	struct table gdt = { sizeof segments - 1, segments }, idt = { sizeof gates - 1, gates };
	uint32_t handler = (uint32_t)clock_interrupt;
	gates[0x20] = (struct gate){ (uint16_t)handler, 8, 0, 0x8e, (uint16_t)(handler >> 16) };
	asm volatile("lgdt %0\n"
	             "ljmp $8, $1f\n"
	             "1: mov %2, %%ds\n"
	             "mov %2, %%es\n"
	             "mov %2, %%ss\n"
	             "lidt %1\n"
	             : : "m"(gdt), "m"(idt), "r"(16) : "memory");
}

/* Both interrupt controllers start over with vectors from 0x20; only the clock's line is open. */
static void start_interrupts(void)
{
	static const uint8_t words[] = { 0x11, 0x20, 0x04, 0x01, 0xfe }, other[] = { 0x11, 0x28, 0x02, 0x01, 0xff };
	out8(0x20, words[0]);
	out8(0xa0, other[0]);
	for (int i = 1; i < 5; i++) {
		out8(0x21, words[i]);
		out8(0xa1, other[i]);
	}
}

static void start_clock(uint32_t rate)
{
	uint32_t divisor = 1193182 / rate;
	load_tables();
	start_interrupts();
	out8(0x43, 0x34);
	out8(0x40, (uint8_t)divisor);
	out8(0x40, (uint8_t)(divisor >> 8));
}

static void nap(void)
{
	asm volatile("sti\nhlt\ncli" : : : "memory");
}

/* ---------------------------------------------------------------- pictures */

static uint32_t test_colour(uint32_t x, uint32_t y)
{
	return (x * 7 & 255) << 16 | (y * 5 & 255) << 8 | ((x ^ y) & 255);
}

static void fill(uint32_t left, uint32_t top, uint32_t side, uint32_t colour)
{
	for (uint32_t y = top; y < top + side; y++)
		for (uint32_t x = left; x < left + side; x++)
			screen.pixels[y * screen.width + x] = colour;
}

static void paint_test(void)
{
	for (uint32_t y = 0; y < screen.height; y++)
		for (uint32_t x = 0; x < screen.width; x++)
			screen.pixels[y * screen.width + x] = test_colour(x, y);
	out8(0xe9, 0);
}

static void mark(uint32_t first_pixel, uint32_t picture)
{
	for (uint32_t i = 0; i < 16; i++)
		screen.pixels[first_pixel + i] = picture & 0xffffff;
}

static void fill_run(uint32_t *to, uint32_t count, uint32_t colour)
{
	asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(colour) : "memory");
}

/*
 * From top to bottom in the fastest way there is, for a screen is refreshed while it is painted too. All but the pixels
 * of the marks, which must not hold anything else even for a moment.
 */
static void paint_gradient(uint32_t picture)
{
	uint32_t *row = screen.pixels;
	for (uint32_t y = 0; y < screen.height; y++, row += screen.width) {
		uint32_t first = y == 0 ? 16 : 0, end = y == screen.height - 1 ? screen.width - 16 : screen.width;
		fill_run(row + first, end - first, (y & 255) << 16 | ((y + picture) & 255) << 8 | (picture * 3 & 255));
	}
}

static void paint_box(uint32_t picture)
{
	uint32_t left = 64 + picture * 4 % (screen.width - 192), top = 64 + picture * 2 % (screen.height - 192);
	fill(left, top, 64, picture * 0x050709 & 0xffffff);
}

static void paint(bool whole, bool flipping, uint32_t picture)
{
	mark(0, picture);
	painted_so_far();
	if (whole)
		paint_gradient(picture);
	else
		paint_box(picture);
	painted_so_far();
	mark(screen.width * screen.height - 16, picture);
	painted_so_far();
	if (flipping)
		flip();
	out8(0xe9, (uint8_t)picture);
}

/* ---------------------------------------------------------------- keyboard */

/* The next byte of the keyboard, 0 for none. Bytes of the pointer are thrown away. */
static uint8_t read_key(void)
{
	uint8_t status = in8(0x64);
	if (!(status & 1))
		return 0;
	uint8_t byte = in8(0x60);
	return status & 0x20 ? 0 : byte;
}

/* ---------------------------------------------------------------- the guest */

struct guest {
	const char *line;
	bool second_size, flipping;
	char mode;
};

static void apply_size(const struct guest *guest)
{
	uint32_t width = number(guest->line, "w=", 800), height = number(guest->line, "h=", 600);
	if (guest->second_size)
		set_size(number(guest->line, "w2=", width), number(guest->line, "h2=", height));
	else
		set_size(width, height);
	if (guest->mode == 't')
		paint_test();
}

static void obey_keys(struct guest *guest)
{
	uint8_t key;
	while ((key = read_key())) {
		if (key == 0x1f) { /* S */
			guest->second_size = !guest->second_size;
			apply_size(guest);
		} else if (guest->mode == 't') {
			fill(PATCH_SIDE, PATCH_SIDE, PATCH_SIDE, key * 0x010101u);
		}
		if (guest->mode == 't')
			out8(0xe9, key);
	}
}

__attribute__((used)) void guest_main(const uint32_t *multiboot)
{
	struct guest guest = { .line = (const char *)multiboot[4] };
	const char *mode = option(guest.line, "mode=");
	uint32_t rate = number(guest.line, "fps=", 50);
	guest.mode = mode ? *mode : 't';
	guest.flipping = number(guest.line, "flip=", 0) != 0;
	find_screen();
	apply_size(&guest);
	if (rate)
		start_clock(rate);
	for (uint32_t picture = 1;; picture++) {
		if (rate)
			nap();
		obey_keys(&guest);
		if (guest.mode != 't')
			paint(guest.mode == 'g', guest.flipping, picture);
	}
}

__attribute__((used, section(".header"))) static const uint32_t header[] = { MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC };
__attribute__((used)) static uint8_t stack[8192] __attribute__((aligned(16)));
asm(".globl entry\n"
    "entry:\n"
    "	mov $stack + 8192, %esp\n"
    "	push %ebx\n"
    "	call guest_main\n");
