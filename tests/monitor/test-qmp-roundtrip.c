/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real traffic: machines with many kinds of device are asked whatever has no side effect, and made to send events. Each
 * answer is read into its struct, written again and compared with what came: nothing may be lost, and of a release that
 * the ledger knows nothing may be left over. UTM_TEST_QEMU may name a directory with another QEMU in bin/, which is
 * asked as well.
 */
#include "qmp/typed.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/utm.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmValue, utm_value_free)

#define PATIENCE_MS 60000
#define SCHEMA (&utm__qmp_schema)

typedef struct Kind {
	const char *name;
	const char *program;
	const char *options;
	guint commands_min; /* that answer */
	guint events_min;   /* of different names */
} Kind;

/* @ stands for the directory of the test. */
static const char common_options[] =
	"-nodefaults -no-user-config -display none -accel tcg -smp 2 -name guest=proof -S"
	" -uuid 6dd4bf0b-9a5d-4ad1-b7a4-f38f9f8a4c01 -rtc base=2020-01-01 -action panic=none"
	" -chardev socket,id=qmp,path=@/qmp,server=on,wait=off -mon chardev=qmp,mode=control"
	" -qtest unix:@/qtest,server=on,wait=off -qtest-log none"
	" -vnc unix:@/vnc -audiodev none,id=snd0"
	" -object iothread,id=io0 -object memory-backend-ram,id=mem0,size=64M -object rng-builtin,id=rng0"
	" -object secret,id=sec0,data=letmein -object throttle-group,id=tg0,x-iops-total=1000"
	" -blockdev driver=file,filename=@/disk.qcow2,node-name=disk-file"
	" -blockdev driver=qcow2,file=disk-file,node-name=disk"
	" -blockdev driver=file,filename=@/disk.vmdk,node-name=vmdk-file"
	" -blockdev driver=vmdk,file=vmdk-file,node-name=vmdk"
	" -blockdev driver=null-co,read-zeroes=on,size=1048576,node-name=null"
	" -blockdev driver=throttle,throttle-group=tg0,file=null,node-name=throttled"
	" -blockdev driver=null-co,read-zeroes=on,size=1048576,node-name=debug-null"
	" -blockdev driver=blkdebug,image=debug-null,node-name=debug"
	" -drive if=none,id=cd0,media=cdrom,format=raw,readonly=on,file=@/cd.raw"
	" -device virtio-blk-pci,drive=disk,id=vblk0,serial=s0"
	" -device virtio-scsi-pci,id=scsi0 -device scsi-cd,drive=cd0,id=cdrom0,bus=scsi0.0"
	" -device qemu-xhci,id=xhci -device usb-tablet,id=tablet -device usb-kbd,id=kbd"
	" -device usb-storage,drive=throttled,id=stick"
	" -netdev user,id=net0,hostfwd=tcp:127.0.0.1:0-:22 -device virtio-net-pci,netdev=net0,id=nic0,romfile="
	" -netdev stream,id=net1,server=on,addr.type=unix,addr.path=@/stream"
	" -device virtio-net-pci,netdev=net1,id=nic1,romfile="
	" -chardev ringbuf,id=ring -chardev pty,id=pty0 -chardev null,id=null0 -chardev file,id=file0,path=@/log"
	" -chardev socket,id=sock0,path=@/sock,server=on,wait=off"
	" -device virtio-serial-pci,id=vser -device virtserialport,chardev=ring,name=a,id=port0"
	" -device virtserialport,chardev=sock0,name=b,id=port1"
	" -device virtio-balloon-pci,id=balloon0 -device virtio-rng-pci,rng=rng0,id=rngdev";

static const Kind kinds[] = {
	{ "pc", "qemu-system-x86_64",
	  "-M pc,memory-backend=mem0 -m 64M,slots=2,maxmem=512M -device pvpanic -device VGA -device vmgenid,guid=auto"
	  " -object memory-backend-ram,id=dimm0,size=128M -device pc-dimm,memdev=dimm0,id=dimm -device isa-serial,chardev=pty0",
	  100, 25 },
	{ "q35", "qemu-system-x86_64",
	  "-M q35 -m 64M -device pvpanic -device i6300esb,id=dog -device pcie-root-port,id=rp0,slot=1"
	  " -numa node,nodeid=0,memdev=mem0 -device ich9-intel-hda -device hda-duplex,audiodev=snd0 -device isa-serial,chardev=file0",
	  100, 25 },
	{ "virt", "qemu-system-aarch64", "-M virt,memory-backend=mem0 -m 64M -cpu cortex-a57 -serial chardev:pty0", 95, 22 },
};

/* --- a machine --- */

static UtmContext *context;

typedef struct Machine {
	const Kind *kind;
	GPid pid;
	char *dir;
	UtmQmp *qmp;
	bool recorded; /* its release is in the ledger */
	GHashTable *commands, *events;
	guint replies, left_over;
} Machine;

/* A test that fails leaves no QEMU behind. */
static void die_with_parent(gpointer unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void run(const char *command)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *output = NULL;
	int status = 0;
	if (!g_spawn_command_line_sync(command, &output, NULL, &status, &error) || !g_spawn_check_wait_status(status, &error))
		g_error("%s: %s", command, error->message);
}

static void make_images(const char *dir)
{
	static const char *const commands[] = {
		"qemu-img create -q -f raw @/base.raw 4M",
		"qemu-img create -q -f qcow2 -b @/base.raw -F raw -o compat=1.1,lazy_refcounts=on @/disk.qcow2",
		"qemu-img snapshot -c first @/disk.qcow2",
		"qemu-img bitmap --add @/disk.qcow2 dirt",
		"qemu-img create -q -f vmdk -o subformat=twoGbMaxExtentSparse @/disk.vmdk 4M",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_auto(GStrv) parts = g_strsplit(commands[i], "@", -1);
		g_autofree char *command = g_strjoinv(dir, parts);
		run(command);
	}
	g_autofree char *disc = g_strnfill(1 << 20, 'x');
	g_autofree char *path = g_build_filename(dir, "cd.raw", NULL);
	g_assert_true(g_file_set_contents(path, disc, 1 << 20, NULL));
}

static UtmQmp *connect_monitor(Machine *machine)
{
	g_autofree char *path = g_build_filename(machine->dir, "qmp", NULL);
	UtmQmp *qmp = NULL;
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		g_autoptr(UtmError) error = NULL;
		int result = utm_qmp_connect_path(context, path, NULL, &qmp, &error);
		if (result == 0)
			break;
		if ((result != UTM_ERROR_NOT_FOUND && result != UTM_ERROR_IO) || waitpid(machine->pid, NULL, WNOHANG) != 0)
			g_error("%s", utm_error_get_message(error));
		g_usleep(10000);
	}
	g_assert_nonnull(qmp);
	return qmp;
}

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data);

static void machine_start(Machine *machine, const Kind *kind, const char *program)
{
	g_autofree char *all = g_strdup_printf("%s %s %s", program, kind->options, common_options);
	*machine = (Machine){ .kind = kind };
	machine->commands = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	machine->events = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	machine->dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	make_images(machine->dir);
	g_auto(GStrv) parts = g_strsplit(all, "@", -1);
	g_autofree char *line = g_strjoinv(machine->dir, parts);
	g_auto(GStrv) argv = NULL;
	g_autoptr(GError) error = NULL;
	g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
	if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL,
	                   die_with_parent, NULL, &machine->pid, &error))
		g_error("%s", error->message);
	machine->qmp = connect_monitor(machine);
	uint32_t release = utm_qmp_get_qemu_version(machine->qmp) / 1000;
	machine->recorded = release == 7002 || release == 10000;
	utm_qmp_set_event_handler(machine->qmp, on_event, machine, NULL);
}

static void machine_end(Machine *machine)
{
	utm_qmp_unref(machine->qmp);
	kill(machine->pid, SIGKILL);
	waitpid(machine->pid, NULL, 0);
	test_remove_tree(machine->dir);
	g_hash_table_unref(machine->commands);
	g_hash_table_unref(machine->events);
	g_free(machine->dir);
}

/* --- what came, and what became of it --- */

/* 1 and 1.0 are the same number; JSON knows one kind only. */
static bool same_value(const UtmValue *a, const UtmValue *b)
{
	UtmValueKind kind = utm_value_get_kind(a);
	bool is_number = kind == UTM_VALUE_INT || kind == UTM_VALUE_UINT || kind == UTM_VALUE_NUMBER;
	if (is_number && (kind == UTM_VALUE_NUMBER || utm_value_get_kind(b) == UTM_VALUE_NUMBER))
		return utm_value_get_number(a) == utm_value_get_number(b);
	if (kind != utm_value_get_kind(b) || (kind != UTM_VALUE_ARRAY && kind != UTM_VALUE_OBJECT))
		return utm_value_equal(a, b);
	bool same = utm_value_get_count(a) == utm_value_get_count(b);
	for (size_t i = 0; same && i < utm_value_get_count(a); i++)
		same = g_strcmp0(utm_value_get_key(a, i), utm_value_get_key(b, i)) == 0 &&
		       same_value(utm_value_get_item(a, i), utm_value_get_item(b, i));
	return same;
}

static UtmValue *parse(const char *json)
{
	UtmValue *value = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_value_from_json(json, &value, &error) < 0)
		g_error("%s: %.200s", utm_error_get_message(error), json);
	return value;
}

/* Members, and texts of enumerations, that the tables do not know. */
static void find_left_over(Machine *machine, const void *object, const char *path)
{
	const UtmSchemaHeader *header = object;
	const UtmSchemaType *row = &SCHEMA->types[utm__schema_type_of(object)];
	for (size_t i = 0; i < utm_value_get_count(header->extras); i++) {
		g_test_message("%s: left over: %s.%s", machine->kind->name, path, utm_value_get_key(header->extras, i));
		machine->left_over++;
	}
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(SCHEMA, row, i);
		g_autofree char *inner = g_strdup_printf("%s.%s", path, utm__schema_string(SCHEMA, member->name));
		bool list = member->flags & UTM_SCHEMA_ARRAY;
		gsize count = list ? utm__schema_get_count(member, object) : 1;
		/* What a later form of a list knows is not left over. */
		for (gsize j = 0; member->kind == UTM_SCHEMA_STRUCT && !member->next_form && j < count; j++) {
			void *const *place = list ? utm__schema_get_element(member, object, j) : utm__schema_at(object, member->offset);
			if (*place)
				find_left_over(machine, *place, inner);
		}
	}
	const void *found = NULL;
	for (const UtmSchemaBranch *branch = NULL; (branch = utm__schema_next_branch(SCHEMA, object, branch));)
		found = *(void *const *)utm__schema_at(object, branch->offset);
	if (found)
		find_left_over(machine, found, path);
}

static void check_value(Machine *machine, guint type, const char *name, const char *json)
{
	void *value = NULL, *again = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autoptr(GString) written = g_string_new(NULL);
	if (utm__protocol_decode(SCHEMA, type, json, strlen(json), &value, &error) < 0)
		g_error("%s: at %s: %s: %s", name, utm_error_get_key_path(error), utm_error_get_message(error), json);
	if (utm__protocol_encode(SCHEMA, value, written, NULL, &error) < 0)
		g_error("%s: at %s: %s: %s", name, utm_error_get_key_path(error), utm_error_get_message(error), json);
	g_autoptr(UtmValue) before = parse(json);
	g_autoptr(UtmValue) after = parse(written->str);
	if (!same_value(before, after))
		g_error("%s: %s became %s", name, json, written->str);
	g_assert_cmpint(utm__protocol_decode(SCHEMA, type, written->str, written->len, &again, NULL), ==, 0);
	g_assert_true(utm_struct_equal(value, again));
	find_left_over(machine, value, name);
	utm_struct_free(value);
	utm_struct_free(again);
}

/* --- questions --- */

static int find_command(const char *name)
{
	for (guint i = 0; i < SCHEMA->command_count; i++)
		if (strcmp(utm__schema_string(SCHEMA, SCHEMA->commands[i].name), name) == 0)
			return (int)i;
	return -1;
}

/* NULL when QEMU refuses. */
static char *ask(Machine *machine, const char *name, const char *arguments)
{
	char *reply = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autofree char *json = arguments ? g_strdelimit(g_strdup(arguments), "'", '"') : NULL;
	int number = find_command(name), result = utm_qmp_execute(machine->qmp, name, json, NULL, &reply, &error);
	if (result == UTM_ERROR_QMP_COMMAND) {
		if (strcmp(name, "qom-get") != 0)
			g_test_message("%s: %s: %s", machine->kind->name, name, utm_error_get_message(error));
		return NULL;
	}
	if (result < 0)
		g_error("%s: %s", name, utm_error_get_message(error));
	g_assert_cmpint(number, >=, 0);
	machine->replies++;
	g_hash_table_add(machine->commands, g_strdup(name));
	if (SCHEMA->commands[number].returns != UTM_SCHEMA_NONE)
		check_value(machine, SCHEMA->commands[number].returns, name, reply);
	return reply;
}

static bool tell(Machine *machine, const char *name, const char *arguments)
{
	g_autofree char *reply = ask(machine, name, arguments);
	return reply != NULL;
}

/* The same through the typed call. */
static void call_typed(Machine *machine, guint number)
{
	const UtmSchemaCall *row = &SCHEMA->commands[number];
	const UtmTypedCall call = { .schema = SCHEMA, .number = number };
	g_autoptr(UtmError) error = NULL;
	void *result = NULL;
	if (utm__typed_run(machine->qmp, call, NULL, NULL, &result, &error) < 0)
		g_error("%s: %s", utm__schema_string(SCHEMA, row->name), utm_error_get_message(error));
	g_assert_cmpuint(SCHEMA->types[row->returns].kind, !=, UTM_SCHEMA_ALTERNATE);
	g_assert_nonnull(result);
	utm_struct_free(result);
}

static bool needs_arguments(const UtmSchemaCall *row)
{
	const UtmSchemaType *args = &SCHEMA->types[row->args];
	for (guint i = 0; row->args != UTM_SCHEMA_NONE && i < args->count; i++)
		if (!(utm__schema_member(SCHEMA, args, i)->flags & UTM_SCHEMA_OPTIONAL))
			return true;
	return false;
}

/* Whatever can be asked without saying about what. */
static void ask_queries(Machine *machine, bool typed)
{
	for (guint i = 0; i < SCHEMA->command_count; i++) {
		const char *name = utm__schema_string(SCHEMA, SCHEMA->commands[i].name);
		bool is_query = g_str_has_prefix(name, "query-") || g_str_has_prefix(name, "x-query-");
		if (is_query && !needs_arguments(&SCHEMA->commands[i]) && tell(machine, name, NULL) && typed)
			call_typed(machine, i);
	}
}

static const struct {
	const char *name, *arguments;
} questions[] = {
	{ "query-block", "{}" },
	{ "query-blockstats", "{'query-nodes':true}" },
	{ "query-named-block-nodes", "{'flat':true}" },
	{ "query-named-block-nodes", "{'flat':false}" },
	{ "query-stats", "{'target':'vm'}" },
	{ "query-stats", "{'target':'vcpu'}" },
	{ "query-stats-schemas", "{'provider':'kvm'}" },
	{ "query-dump", NULL },
	{ "query-cpu-model-expansion", "{'type':'full','model':{'name':'max'}}" },
	{ "query-cpu-model-expansion", "{'type':'static','model':{'name':'qemu64','props':{'avx':true}}}" },
	{ "query-rx-filter", "{'name':'nic0'}" },
	{ "human-monitor-command", "{'command-line':'info qtree'}" },
	{ "qom-list-types", NULL },
	{ "qom-list-types", "{'implements':'device','abstract':true}" },
	{ "qom-list-properties", "{'typename':'virtio-blk-pci'}" },
	{ "device-list-properties", "{'typename':'virtio-net-pci'}" },
	{ "device-list-properties", "{'typename':'qemu-xhci'}" },
	{ "device-list-properties", "{'typename':'scsi-hd'}" },
	{ "trace-event-get-state", "{'name':'qmp_*'}" },
	{ "trace-event-get-state", "{'name':'virtio_*'}" },
	{ "ringbuf-write", "{'device':'ring','data':'aGVsbG8=','format':'base64'}" },
	{ "ringbuf-read", "{'device':'ring','size':3}" },
	{ "x-debug-query-block-graph", NULL },
	{ "x-debug-block-dirty-bitmap-sha256", "{'node':'disk','name':'dirt'}" },
	{ "chardev-add", "{'id':'pty1','backend':{'type':'pty','data':{}}}" },
	{ "chardev-add", "{'id':'null1','backend':{'type':'null','data':{}}}" },
	{ "chardev-remove", "{'id':'null1'}" },
};

static void ask_about(Machine *machine)
{
	for (gsize i = 0; i < G_N_ELEMENTS(questions); i++)
		tell(machine, questions[i].name, questions[i].arguments);
}

static void ask_about_virtio(Machine *machine)
{
	g_autofree char *reply = ask(machine, "x-query-virtio", NULL);
	g_autoptr(UtmValue) list = parse(reply ? reply : "[]");
	for (size_t i = 0; i < utm_value_get_count(list); i++) {
		const char *path = utm_value_get_string(utm_value_get_member(utm_value_get_item(list, i), "path"));
		g_autofree char *device = g_strdup_printf("{'path':'%s'}", path);
		g_autofree char *queue = g_strdup_printf("{'path':'%s','queue':0}", path);
		tell(machine, "x-query-virtio-status", device);
		tell(machine, "x-query-virtio-queue-status", queue);
	}
}

/* The tree of objects: a property's value may be anything. */
static void ask_about_object(Machine *machine, const char *path, int depth)
{
	g_autofree char *arguments = g_strdup_printf("{'path':'%s'}", path);
	g_autofree char *reply = ask(machine, "qom-list", arguments);
	g_autoptr(UtmValue) list = parse(reply ? reply : "[]");
	for (size_t i = 0; i < utm_value_get_count(list); i++) {
		const char *name = utm_value_get_string(utm_value_get_member(utm_value_get_item(list, i), "name"));
		const char *type = utm_value_get_string(utm_value_get_member(utm_value_get_item(list, i), "type"));
		/* Names of memory regions have backslashes. */
		g_autofree char *escaped = g_strescape(name, NULL);
		g_autofree char *inner = g_strdup_printf("%s/%s", path, escaped);
		g_autofree char *property = g_strdup_printf("{'path':'%s','property':'%s'}", path, escaped);
		tell(machine, "qom-get", property);
		if (depth > 0 && g_str_has_prefix(type, "child<"))
			ask_about_object(machine, inner, depth - 1);
	}
}

/* --- events --- */

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Machine *machine = data;
	if (!event->name)
		return;
	if (event->error)
		g_error("%s: at %s: %s: %s", event->name, utm_error_get_key_path(event->error),
		        utm_error_get_message(event->error), event->data);
	g_assert_cmpint(event->id, >=, 0);
	g_hash_table_add(machine->events, g_strdup(event->name));
	guint type = SCHEMA->events[event->id].args;
	if (type == UTM_SCHEMA_NONE) {
		g_assert_null(event->payload);
		g_assert_true(!event->data || strcmp(event->data, "{}") == 0);
		return;
	}
	const char *json = event->data ? event->data : "{}";
	g_autofree char *written = NULL;
	g_assert_cmpint(utm_struct_to_json(event->payload, &written, NULL), ==, 0);
	g_autoptr(UtmValue) before = parse(json);
	g_autoptr(UtmValue) after = parse(written);
	if (!same_value(before, after))
		g_error("%s: %s became %s", event->name, json, written);
	check_value(machine, type, event->name, json);
}

/* False when it does not come. */
static bool wait_for_event(Machine *machine, const char *name, int timeout_ms)
{
	gint64 end = g_get_monotonic_time() + timeout_ms * (gint64)1000;
	while (!g_hash_table_contains(machine->events, name) && g_get_monotonic_time() < end)
		utm_context_wait(context, 50);
	return g_hash_table_contains(machine->events, name);
}

static int connect_to(Machine *machine, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	g_snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", machine->dir, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : (close(fd), -1);
}

/* Accesses to hardware, as a guest would make them. */
static void touch_hardware(Machine *machine)
{
	static const char *const lines[] = { "outb 0x70 0x00\n", "outb 0x71 0x11\n", "outb 0x70 0x04\n", "outb 0x71 0x05\n",
		                             "outb 0x505 0x1\n", "outb 0x505 0x2\n" };
	int fd = connect_to(machine, "qtest");
	char answer[256];
	g_assert_cmpint(fd, >=, 0);
	for (gsize i = 0; i < G_N_ELEMENTS(lines) && !g_str_equal(machine->kind->name, "virt"); i++) {
		g_assert_cmpint(write(fd, lines[i], strlen(lines[i])), ==, (gssize)strlen(lines[i]));
		g_assert_cmpint(read(fd, answer, sizeof answer), >, 0);
	}
	close(fd);
}

static void visit_sockets(Machine *machine)
{
	static const char *const names[] = { "vnc", "stream", "sock" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		int fd = connect_to(machine, names[i]);
		char bytes[12];
		g_assert_cmpint(fd, >=, 0);
		if (i == 0) /* the handshake, so that there is a client to ask about */
			g_assert_true(read(fd, bytes, 12) == 12 && write(fd, "RFB 003.003\n", 12) == 12 &&
			              read(fd, bytes, 4) == 4 && write(fd, "\1", 1) == 1);
		if (i == 0)
			wait_for_event(machine, "VNC_INITIALIZED", PATIENCE_MS);
		tell(machine, "query-vnc", NULL);
		tell(machine, "query-vnc-servers", NULL);
		tell(machine, "query-chardev", NULL);
		close(fd);
	}
}

static void work_on_blocks(Machine *machine)
{
	static const struct {
		const char *name, *arguments;
	} jobs[] = {
		{ "blockdev-add", "{'driver':'null-co','node-name':'target','size':4194304}" },
		{ "blockdev-add", "{'driver':'null-co','node-name':'target2','size':4194304}" },
		{ "blockdev-add", "{'driver':'null-co','node-name':'target3','size':1048576}" },
		{ "block-set-write-threshold", "{'node-name':'disk','write-threshold':1}" },
		{ "human-monitor-command", "{'command-line':'qemu-io vblk0/virtio-backend \\'write -P 5 0 1M\\''}" },
		{ "human-monitor-command", "{'command-line':'qemu-io -d vblk0/virtio-backend \\'write -P 5 0 1M\\''}" },
		{ "blockdev-mirror", "{'job-id':'mirror','device':'disk','target':'target','sync':'full','speed':65536}" },
		{ "blockdev-backup", "{'job-id':'backup','device':'vmdk','target':'target2','sync':'full','speed':65536,"
		                     "'auto-dismiss':false,'auto-finalize':false}" },
		{ "query-jobs", NULL },
		{ "query-block-jobs", NULL },
		{ "query-block", NULL },
		{ "query-named-block-nodes", NULL },
		{ "job-pause", "{'id':'mirror'}" },
		{ "query-block-jobs", NULL },
		{ "job-resume", "{'id':'mirror'}" },
		{ "block-job-set-speed", "{'device':'mirror','speed':0}" },
		{ "block-job-set-speed", "{'device':'backup','speed':0}" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(jobs); i++)
		tell(machine, jobs[i].name, jobs[i].arguments);
	g_assert_true(wait_for_event(machine, "BLOCK_JOB_READY", PATIENCE_MS));
	g_assert_true(wait_for_event(machine, "BLOCK_JOB_PENDING", PATIENCE_MS));
	tell(machine, "query-block-jobs", NULL);
	tell(machine, "query-jobs", NULL);
	tell(machine, "block-job-cancel", "{'device':'mirror','force':true}");
	tell(machine, "job-finalize", "{'id':'backup'}");
	g_assert_true(wait_for_event(machine, "BLOCK_JOB_CANCELLED", PATIENCE_MS));
	g_assert_true(wait_for_event(machine, "BLOCK_JOB_COMPLETED", PATIENCE_MS));
	tell(machine, "query-jobs", NULL);
	tell(machine, "job-dismiss", "{'id':'backup'}");
}

/* A job whose source cannot be read. */
static void fail_a_job(Machine *machine)
{
	g_autofree char *node = g_strdup_printf(
		"{'driver':'blkdebug','node-name':'bad','read-only':true,'image':{'driver':'file','filename':'%s/cd.raw'},"
		"'inject-error':[{'event':'none','iotype':'read','errno':5}]}", machine->dir);
	tell(machine, "blockdev-add", node);
	tell(machine, "query-named-block-nodes", NULL);
	if (tell(machine, "blockdev-mirror", "{'job-id':'doomed','device':'bad','target':'target3','sync':'full',"
	                                     "'on-source-error':'report','auto-dismiss':false}")) {
		g_assert_true(wait_for_event(machine, "BLOCK_JOB_ERROR", PATIENCE_MS));
		tell(machine, "query-jobs", NULL);
		tell(machine, "query-block-jobs", NULL);
	}
}

static void export_a_block(Machine *machine)
{
	g_autofree char *server =
		g_strdup_printf("{'addr':{'type':'unix','data':{'path':'%s/nbd'}}}", machine->dir);
	tell(machine, "nbd-server-start", server);
	tell(machine, "block-export-add", "{'type':'nbd','id':'export','node-name':'null','writable':false}");
	tell(machine, "query-block-exports", NULL);
	tell(machine, "block-export-del", "{'id':'export'}");
	g_assert_true(wait_for_event(machine, "BLOCK_EXPORT_DELETED", PATIENCE_MS));
	tell(machine, "nbd-server-stop", NULL);
}

static void migrate_away(Machine *machine)
{
	tell(machine, "migrate-set-capabilities", "{'capabilities':[{'capability':'events','state':true}]}");
	tell(machine, "calc-dirty-rate", "{'calc-time':1}");
	tell(machine, "query-dirty-rate", NULL);
	tell(machine, "blockdev-del", "{'node-name':'vmdk'}"); /* a format that does not migrate */
	if (tell(machine, "migrate", "{'uri':'exec:cat > /dev/null'}")) {
		tell(machine, "query-migrate", NULL);
		g_assert_true(wait_for_event(machine, "MIGRATION_PASS", PATIENCE_MS));
		for (int i = 0; i < 600; i++) {
			g_autofree char *reply = ask(machine, "query-migrate", NULL);
			if (strstr(reply, "\"completed\"") || strstr(reply, "\"failed\""))
				break;
			g_usleep(100000);
		}
	}
	tell(machine, "query-migrate", NULL);
	tell(machine, "query-dirty-rate", NULL);
}

static void provoke_events(Machine *machine)
{
	/* While it stands still: processors without firmware that run wild keep QEMU from letting go of a device. */
	tell(machine, "device_del", "{'id':'tablet'}");
	g_assert_true(wait_for_event(machine, "DEVICE_DELETED", PATIENCE_MS));
	tell(machine, "cont", NULL);
	g_assert_true(wait_for_event(machine, "RESUME", PATIENCE_MS));
	tell(machine, "query-status", NULL);
	visit_sockets(machine);
	work_on_blocks(machine);
	fail_a_job(machine);
	export_a_block(machine);
	tell(machine, "eject", "{'id':'cdrom0','force':true}");
	tell(machine, "query-block", NULL);
	tell(machine, "set_link", "{'name':'nic0','up':false}");
	touch_hardware(machine);
	tell(machine, "inject-nmi", NULL);
	tell(machine, "system_powerdown", NULL);
	tell(machine, "system_reset", NULL);
	g_assert_true(wait_for_event(machine, "RESET", PATIENCE_MS));
	g_assert_true(wait_for_event(machine, "POWERDOWN", PATIENCE_MS));
	g_assert_true(wait_for_event(machine, "DEVICE_TRAY_MOVED", PATIENCE_MS));
	tell(machine, "stop", NULL);
	g_assert_true(wait_for_event(machine, "STOP", PATIENCE_MS));
	migrate_away(machine);
	ask_queries(machine, false);
	utm_free(ask(machine, "quit", NULL));
	g_assert_true(wait_for_event(machine, "SHUTDOWN", PATIENCE_MS));
}

/* --- the test --- */

static void print_names(const char *what, GHashTable *names)
{
	GList *sorted = g_list_sort(g_hash_table_get_keys(names), (GCompareFunc)strcmp);
	g_autoptr(GString) text = g_string_new(NULL);
	for (GList *link = sorted; link; link = link->next)
		g_string_append_printf(text, " %s", (char *)link->data);
	g_test_message("%u %s:%s", g_hash_table_size(names), what, text->str);
	g_list_free(sorted);
}

static void run_machine(const Kind *kind, const char *program)
{
	Machine machine;
	machine_start(&machine, kind, program);
	ask_queries(&machine, true);
	ask_about(&machine);
	ask_about_virtio(&machine);
	ask_about_object(&machine, "/machine", 4);
	ask_about_object(&machine, "/objects", 1);
	provoke_events(&machine);
	print_names("commands answered", machine.commands);
	print_names("events came", machine.events);
	g_test_message("%s: %u replies, %u members left over", kind->name, machine.replies, machine.left_over);
	g_assert_cmpuint(g_hash_table_size(machine.commands), >=, kind->commands_min);
	g_assert_cmpuint(g_hash_table_size(machine.events), >=, kind->events_min);
	g_assert_true(!machine.recorded || machine.left_over == 0);
	machine_end(&machine);
}

typedef struct Case {
	const Kind *kind;
	char *program;
} Case;

static void test_machine(gconstpointer data)
{
	const Case *one = data;
	g_autofree char *found = g_find_program_in_path(one->program);
	if (found)
		run_machine(one->kind, one->program);
	else
		g_test_skip("is not installed");
}

static void case_free(gpointer data)
{
	Case *one = data;
	g_free(one->program);
	g_free(one);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	const char *other = g_getenv("UTM_TEST_QEMU");
	for (gsize i = 0; i < 2 * G_N_ELEMENTS(kinds); i++) {
		const Kind *kind = &kinds[i / 2];
		bool installed = i % 2 == 0;
		if (!installed && !(other && *other))
			continue;
		Case *one = g_new0(Case, 1);
		one->kind = kind;
		one->program = installed ? g_strdup(kind->program) : g_build_filename(other, "bin", kind->program, NULL);
		g_autofree char *path = g_strdup_printf("/qmp/roundtrip/%s%s", kind->name, installed ? "" : "-other");
		g_test_add_data_func_full(path, one, test_machine, case_free);
	}
	context = utm_context_new(NULL, NULL);
	int result = g_test_run();
	utm_context_unref(context);
	return result;
}
