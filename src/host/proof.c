/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proving an accelerator: a test guest runs in a QEMU of its own, which must end by itself, with the status that only the
 * guest can give, before a deadline. That /dev/kvm opens, and that KVM initialises, says little.
 *
 * A guest that hangs can hang in the kernel, where its end may take a while too. So the answer is given at the deadline,
 * and the end of the process is waited for in the background.
 */
#include "host/proof.h"

#include "base/util.h"
#include "host/cores.h"
#include "host/proof-guest.h"
#include "host/qemu-program.h"
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define KVM_DEVICE "/dev/kvm"

enum {
	IMAGE_FD = 3,
	REASON_MAX = 400,
};

/* What changes when another answer is possible. */
typedef struct Identity {
	UtmQemuIdentity program;
	gint64 device, inode, number; /* of /dev/kvm */
	char release[65];
} Identity;

typedef struct Waiter {
	UtmProofDone done;
	void *data;
} Waiter;

typedef struct Proof {
	UtmContext *context;
	Identity identity;
	bool answered;
	int32_t state;
	char *reason;    /* nullable */
	GArray *waiters; /* of Waiter */
	int success;
	UtmProcess *process; /* NULL before and after */
	guint deadline_source;
} Proof;

static const char proofs_key;

/* When the context ends; its processes have ended before. */
static void proof_free(void *data)
{
	Proof *proof = data;

	g_array_unref(proof->waiters);
	g_free(proof->reason);
	g_free(proof);
}

static void *proofs_make(UtmContext *context)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, proof_free);
}

/* By accelerator and program. */
static GHashTable *get_proofs(UtmContext *context)
{
	return utm__context_get_data(context, &proofs_key, proofs_make, (void (*)(void *))g_hash_table_unref);
}

static bool identify(const char *qemu_path, bool kvm, Identity *ret_identity)
{
	struct utsname kernel;
	struct stat status;

	memset(ret_identity, 0, sizeof(*ret_identity));
	if (!utm__qemu_identify(qemu_path, &ret_identity->program))
		return false;
	if (!kvm)
		return true;
	if (uname(&kernel) == 0)
		g_strlcpy(ret_identity->release, kernel.release, sizeof(ret_identity->release));
	if (stat(KVM_DEVICE, &status) == 0) {
		ret_identity->device = (gint64)status.st_dev;
		ret_identity->inode = (gint64)status.st_ino;
		ret_identity->number = (gint64)status.st_rdev;
	}
	return true;
}

/* --- the guest --- */

static void answer(Proof *proof, int32_t state, char *reason_taken)
{
	if (proof->answered) {
		g_free(reason_taken);
		return;
	}
	g_autoptr(GArray) waiters = proof->waiters;
	proof->answered = true;
	proof->state = state;
	proof->reason = reason_taken;
	proof->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
	utm__io_remove(proof->context, &proof->deadline_source);
	for (guint i = 0; i < waiters->len; i++) {
		const Waiter *waiter = &g_array_index(waiters, Waiter, i);

		waiter->done(state, proof->reason, waiter->data);
	}
}

static void on_deadline(void *data)
{
	Proof *proof = data;

	proof->deadline_source = 0;
	utm__process_kill(proof->process, SIGKILL);
	answer(proof, UTM_HOST_FEATURE_STATE_FAILS,
	       g_strdup_printf("a test guest did not run to its end within %d ms", UTM_PROOF_MS));
}

/* The last thing that QEMU said, which is what it died of. */
static char *dup_last_line(const char *tail)
{
	g_autofree char *text = g_strchomp(g_strdup(tail ? tail : ""));
	const char *line = strrchr(text, '\n');
	const char *start = line ? line + 1 : text;

	return g_utf8_substring(start, 0, MIN(g_utf8_strlen(start, -1), REASON_MAX));
}

static void on_end(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	Proof *proof = data;
	g_autofree char *line = dup_last_line(utm__process_get_stderr_tail(process));
	int status = end->signal ? 128 + end->signal : end->exit_status;
	UtmProcess *ended = g_steal_pointer(&proof->process);

	if (!utm__process_end_is_known(end))
		answer(proof, UTM_HOST_FEATURE_STATE_UNKNOWN,
		       g_strdup("the application waits for all children, so how the test guest ended is not known"));
	else if (!end->signal && status == proof->success)
		answer(proof, UTM_HOST_FEATURE_STATE_WORKS, NULL);
	else if (strstr(line, "invalid accelerator"))
		answer(proof, UTM_HOST_FEATURE_STATE_ABSENT, g_strdup("this QEMU was built without it"));
	else
		answer(proof, UTM_HOST_FEATURE_STATE_FAILS,
		       g_strdup_printf("a test guest ended with status %d%s%s", status, *line ? ": " : "", line));
	utm__process_free(ended);
}

static void add_all(GPtrArray *argv, const char *const *more)
{
	for (; *more; more++)
		g_ptr_array_add(argv, (char *)*more);
}

static UtmProcess *spawn(Proof *proof, const char *qemu_path, const UtmProofGuest *guest, const char *accelerator,
                         UtmError **error)
{
	/* -no-reboot: a guest that crashes ends QEMU instead of trying for ever. */
	static const char *const always[] = { "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", NULL };
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	utm_autofd image = utm__proof_guest_open(guest, error);

	if (image < 0)
		return NULL;
	g_ptr_array_add(argv, (char *)qemu_path);
	add_all(argv, always);
	add_all(argv, guest->machine);
	/* What machines get, so that what fails with the one fails with the other. */
	add_all(argv, (const char *const[]){ "-accel", accelerator, "-cpu",
	                                     strcmp(accelerator, "kvm") ? guest->emulated_cpu : "host", guest->image_option,
	                                     "/proc/self/fd/3", NULL });
	g_ptr_array_add(argv, NULL);
	UtmProcessFd fd = { image, IMAGE_FD };
	UtmProcessSpec spec = { .argv = (const char *const *)argv->pdata,
		                    .fds = &fd,
		                    .fd_count = 1,
		                    .stdout_fd = -1,
		                    .on_end = on_end,
		                    .data = proof };
	return utm__process_spawn(proof->context, &spec, error);
}

static void run(Proof *proof, const char *qemu_path, const UtmProofGuest *guest, const char *accelerator)
{
	UtmError *error = NULL;

	proof->success = guest->success;
	proof->process = spawn(proof, qemu_path, guest, accelerator, &error);
	if (proof->process) {
		proof->deadline_source = utm__io_add_timeout(proof->context, UTM_PROOF_MS, on_deadline, proof);
		return;
	}
	answer(proof, UTM_HOST_FEATURE_STATE_UNKNOWN,
	       g_strdup_printf("no test guest could be run: %s", utm_error_get_message(error)));
	utm_error_unref(error);
}

/* --- the question --- */

/* What can be said of KVM without a guest; UNKNOWN when one is needed. */
static int32_t look_at_kvm(const char *architecture, char **ret_reason)
{
	if (g_strcmp0(architecture, utm__host_architecture()) != 0) {
		*ret_reason = g_strdup_printf("it runs guests of the host's architecture, %s", utm__host_architecture());
		return UTM_HOST_FEATURE_STATE_ABSENT;
	}
	utm_autofd fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return UTM_HOST_FEATURE_STATE_UNKNOWN;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO) {
		*ret_reason = g_strdup("there is no " KVM_DEVICE ": the kernel or the processor's firmware does not offer it");
		return UTM_HOST_FEATURE_STATE_ABSENT;
	}
	*ret_reason = g_strdup_printf(KVM_DEVICE " cannot be opened: %s%s", g_strerror(errno),
	                              errno == EACCES ? "; who is in its group may" : "");
	return UTM_HOST_FEATURE_STATE_FAILS;
}

static Proof *get_proof(UtmContext *context, const char *key, const Identity *identity)
{
	Proof *proof = g_hash_table_lookup(get_proofs(context), key);

	/* One that still has a process is not let go of before that has ended. */
	if (proof && (proof->process || !memcmp(&proof->identity, identity, sizeof(*identity))))
		return proof;
	proof = g_new0(Proof, 1);
	proof->context = context;
	proof->identity = *identity;
	proof->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
	g_hash_table_replace(get_proofs(context), g_strdup(key), proof);
	return proof;
}

void utm__accelerator_prove(UtmContext *context, const char *qemu_path, const char *architecture,
                            const char *accelerator, UtmProofDone done, void *data)
{
	const UtmProofGuest *guest = utm__proof_guest_find(architecture);
	bool kvm = !strcmp(accelerator, "kvm");
	g_autofree char *key = g_strdup_printf("%s %s %s", accelerator, architecture, qemu_path);
	g_autofree char *reason = NULL;
	Identity identity;
	int32_t state = kvm ? look_at_kvm(architecture, &reason) : UTM_HOST_FEATURE_STATE_UNKNOWN;

	if (state != UTM_HOST_FEATURE_STATE_UNKNOWN || !guest || !identify(qemu_path, kvm, &identity)) {
		done(state, reason ? reason : "there is no test guest for this architecture", data);
		return;
	}
	Proof *proof = get_proof(context, key, &identity);
	if (proof->answered) {
		done(proof->state, proof->reason, data);
		return;
	}
	Waiter waiter = { done, data };
	g_array_append_val(proof->waiters, waiter);
	if (!proof->process)
		run(proof, qemu_path, guest, accelerator);
}
