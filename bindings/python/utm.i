/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handle API for Python, as `utm.capi`: the functions of the public headers under their own names, with Python's manners.
 * The package's modules make classes of it; nobody else should need it.
 *
 * - Handles are objects that give their reference back when they are collected. What C lends, Python gets a reference to.
 * - `ret_...` parameters are what a function returns. A failure is raised, as what set_error_factory() was given makes of it.
 * - Options are dictionaries, or None: the members of the struct by name.
 * - A callback triple is one callable, or None. It runs inside utm_context_dispatch(), which raises what the callable raised.
 * - The lock of the interpreter is free while a function runs.
 */
%module(package="utm", threads="1") capi

%{
#include "support.h"
%}

%include <stdint.i>

/* ---------------------------------------------------------------- what may be NULL, texts, bytes */

%typemap(in) const char * (PyObject *held = NULL) {
	if (!utm_py_text($input, &held, &$1))
		SWIG_fail;
}
%typemap(freearg) const char * "Py_XDECREF(held$argnum);"
%typemap(memberin) const char * ""
%typemap(out) const char * "$result = utm_py_str($1);"
%typemap(out) char * "$result = utm_py_str_take($1);"
%typemap(out) const char *const * "$result = utm_py_str_list($1);"

%typemap(in) const char *const *names (PyObject *held = NULL) {
	$1 = NULL;
	if ($input != Py_None && (!(held = PyList_New(0)) || !($1 = (char **)utm_py_texts(held, $input))))
		SWIG_fail;
}
%typemap(freearg) const char *const *names "Py_XDECREF(held$argnum);"

%typemap(in) (const void *data, size_t size_bytes) (Py_buffer buffer = { 0 }) {
	if ($input != Py_None && PyObject_GetBuffer($input, &buffer, PyBUF_SIMPLE) < 0)
		SWIG_fail;
	$1 = buffer.buf;
	$2 = (size_t)buffer.len;
}
%typemap(freearg) (const void *data, size_t size_bytes) "if (buffer$argnum.obj) PyBuffer_Release(&buffer$argnum);"

/* ---------------------------------------------------------------- results */

/* An int is a status, but where a function's name says otherwise. */
%typemap(out) int "$result = Py_NewRef(Py_None);"
%typemap(ret) int {
	if ($1 < 0) {
		utm_py_raise_code($1);
		Py_CLEAR(resultobj);
		SWIG_fail;
	}
}
%define %plain_int(function)
%typemap(out) int function "$result = PyLong_FromLong($1);"
%typemap(ret) int function ""
%enddef
%plain_int(utm_context_get_fd)
%plain_int(utm_context_dispatch)
%plain_int(utm_context_wait)
%plain_int(utm_end_reason_get_exit_status)
%plain_int(utm_end_reason_get_signal)

%typemap(in, numinputs=0) UtmError **error (UtmError *problem = NULL) "$1 = &problem;"
%typemap(argout) UtmError **error {
	if (*$1) {
		utm_py_raise(*$1);
		Py_CLEAR(resultobj);
		SWIG_fail;
	}
}

%typemap(in, numinputs=0) char **SWIGRESULT (char *text = NULL) "$1 = &text;"
%typemap(argout) char **SWIGRESULT "resultobj = utm_py_append(resultobj, utm_py_str_take(*$1));"
%apply char **SWIGRESULT { char **ret_path, char **ret_name, char **ret_value, char **ret_json, char **ret_reply, char **ret_script,
	char **ret_builtin };

%typemap(in, numinputs=0) char ***ret_arguments (char **texts = NULL) "$1 = &texts;"
%typemap(argout) char ***ret_arguments {
	resultobj = utm_py_append(resultobj, utm_py_str_list((const char *const *)*$1));
	utm_free(*$1);
}

%define %bytes_result(Data)
%typemap(in, numinputs=0) (Data **ret_data, size_t *ret_size) (Data *data = NULL, size_t size = 0) "$1 = &data; $2 = &size;"
%typemap(argout) (Data **ret_data, size_t *ret_size) {
	resultobj = utm_py_append(resultobj, *$1 ? utm_py_bytes(*$1, *$2) : Py_NewRef(Py_None));
	utm_free(*$1);
}
%enddef
%bytes_result(void)
%bytes_result(char)

%define %scalar_result(Type, name, convert)
%typemap(in, numinputs=0) Type *name (Type value = 0) "$1 = &value;"
%typemap(argout) Type *name "resultobj = utm_py_append(resultobj, convert(*$1));"
%enddef
%scalar_result(bool, ret_present, PyBool_FromLong)
%scalar_result(bool, ret_value, PyBool_FromLong)
%scalar_result(bool, ret_used, PyBool_FromLong)
%scalar_result(bool, ret_has, PyBool_FromLong)
%scalar_result(int64_t, ret_value, PyLong_FromLongLong)
%scalar_result(int64_t, ret_version, PyLong_FromLongLong)
%scalar_result(size_t, ret_count, PyLong_FromSize_t)
%scalar_result(size_t, ret_index, PyLong_FromSize_t)
%scalar_result(uint64_t, ret_done, PyLong_FromUnsignedLongLong)
%scalar_result(uint64_t, ret_total, PyLong_FromUnsignedLongLong)

/* A struct that C fills: a copy, whose texts belong to what they were asked from. */
%define %struct_result(Type, name, INIT)
%typemap(in, numinputs=0) Type *name (Type value = INIT) "$1 = &value;"
%typemap(argout) Type *name {
	Type *copy = malloc(sizeof *copy);
	*copy = *$1;
	resultobj = utm_py_append(resultobj, SWIG_NewPointerObj(copy, $1_descriptor, SWIG_POINTER_OWN));
}
%enddef
%struct_result(UtmBundleSize, ret_size, UTM_BUNDLE_SIZE_INIT)
%struct_result(UtmHostItem, ret_item, UTM_HOST_ITEM_INIT)
%struct_result(UtmConfigType, ret_type, UTM_CONFIG_TYPE_INIT)
%struct_result(UtmConfigKey, ret_key, UTM_CONFIG_KEY_INIT)
%struct_result(UtmConfigValue, ret_value, UTM_CONFIG_VALUE_INIT)

/* ---------------------------------------------------------------- handles */

%define %handle(Type, give_back)
%nodefaultctor Type;
struct Type {};
%extend Type {
	~Type() { give_back($self); }
}
%typemap(in, numinputs=0) Type **SWIGRESULT (Type *made = NULL) "$1 = &made;"
%typemap(argout) Type **SWIGRESULT "resultobj = utm_py_append(resultobj, utm_py_new(*$1, $*1_descriptor));"
%enddef
/* What C lends becomes a reference. */
%define %lent(Type, take, function)
%typemap(out) Type *function "$result = utm_py_new($1 ? take($1) : NULL, $1_descriptor);"
%enddef

%handle(UtmContext, utm_context_unref)
%handle(UtmCancel, utm_cancel_unref)
%handle(UtmProgress, utm_progress_unref)
%handle(UtmBundle, utm_bundle_unref)
%handle(UtmBundleFiles, utm_bundle_files_free)
%handle(UtmBundleList, utm_bundle_list_free)
%handle(UtmConfig, utm_config_unref)
%handle(UtmFindings, utm_findings_free)
%handle(UtmHost, utm_host_unref)
%handle(UtmArgv, utm_argv_unref)
%handle(UtmHardware, utm_hardware_unref)
%handle(UtmVm, utm_vm_unref)
%handle(UtmEndReason, utm_end_reason_unref)
%handle(UtmQmp, utm_qmp_unref)
%handle(UtmQmpSubscription, utm_qmp_subscription_unref)
%handle(UtmGuest, utm_guest_unref)
%handle(UtmConsole, utm_console_unref)
%handle(UtmDisplay, utm_display_unref)
%handle(UtmFrame, utm_frame_unref)
%apply UtmBundle **SWIGRESULT { UtmBundle **ret_bundle };
%apply UtmBundleFiles **SWIGRESULT { UtmBundleFiles **ret_files, UtmBundleFiles **ret_removed };
%apply UtmBundleList **SWIGRESULT { UtmBundleList **ret_list };
%apply UtmConfig **SWIGRESULT { UtmConfig **ret_config };
%apply UtmFindings **SWIGRESULT { UtmFindings **ret_findings };
%apply UtmHost **SWIGRESULT { UtmHost **ret_host };
%apply UtmArgv **SWIGRESULT { UtmArgv **ret_argv };
%apply UtmHardware **SWIGRESULT { UtmHardware **ret_hardware };
%apply UtmVm **SWIGRESULT { UtmVm **ret_vm };
%apply UtmQmp **SWIGRESULT { UtmQmp **ret_qmp };
%apply UtmQmpSubscription **SWIGRESULT { UtmQmpSubscription **ret_subscription };
%apply UtmGuest **SWIGRESULT { UtmGuest **ret_guest };
%apply UtmConsole **SWIGRESULT { UtmConsole **ret_console };
%apply UtmFrame **SWIGRESULT { UtmFrame **ret_frame };
%newobject utm_context_new;
%newobject utm_cancel_new;
%newobject utm_progress_new;
%newobject utm_config_copy;
%newobject utm_display_acquire_frame;
%lent(UtmContext, utm_context_ref, utm_bundle_get_context)
%lent(UtmConfig, utm_config_ref, utm_bundle_get_config)
%lent(UtmBundle, utm_bundle_ref, utm_vm_get_bundle)
%lent(UtmConfig, utm_config_ref, utm_vm_get_config)
%lent(UtmQmp, utm_qmp_ref, utm_vm_get_qmp)
%lent(UtmConsole, utm_console_ref, utm_vm_get_console)
%lent(UtmDisplay, utm_display_ref, utm_vm_get_display)
%lent(UtmDisplay, utm_display_ref, utm_console_get_display)
%lent(UtmEndReason, utm_end_reason_ref, utm_vm_get_end_reason)

/* Errors within other things are exceptions that nobody has raised yet. */
%typemap(out) const UtmError * "$result = utm_py_exception($1);"

/* A view state is asked for in one piece. */
%typemap(in, numinputs=0) UtmValue **ret_state (UtmValue *value = NULL) "$1 = &value;"
%typemap(argout) UtmValue **ret_state {
	resultobj = utm_py_append(resultobj, *$1 ? utm_py_str_take(utm_value_dup_json(*$1)) : Py_NewRef(Py_None));
	utm_value_free(*$1);
}

/* An event of a monitor, once it is waited for. */
%typemap(in) (UtmQmpEventMatchFunc match, void *match_data) {
	if ($input != Py_None) {
		PyErr_SetString(PyExc_TypeError, "match in Python what comes");
		SWIG_fail;
	}
	$1 = NULL;
	$2 = NULL;
}
%typemap(in, numinputs=0) const UtmQmpEvent **ret_event (const UtmQmpEvent *event = NULL) "$1 = &event;"
%typemap(argout) const UtmQmpEvent **ret_event {
	resultobj = utm_py_append(resultobj, *$1 ? utm_py_event(*$1) : Py_NewRef(Py_None));
	utm_qmp_event_unref(*$1);
}

/* ---------------------------------------------------------------- options */

%define %options(Type, INIT, fields)
%typemap(in) const Type *options (Type given = INIT, PyObject *held = NULL) {
	if (!utm_py_options($input, fields, &given, &held)) {
		Py_XDECREF(held);
		SWIG_fail;
	}
	$1 = &given;
}
%typemap(freearg) const Type *options "Py_XDECREF(held$argnum);"
%ignore Type;
%enddef
%{
#define FIELD(Type, name, kind) { #name, UTM_PY_##kind, offsetof(Type, name), NULL, 0 }
#define HANDLE(Type, name, of) { #name, UTM_PY_HANDLE, offsetof(Type, name), &SWIGTYPE_p_##of, 0 }
#define COUNTED(Type, name, kind, count) { #name, UTM_PY_##kind, offsetof(Type, name), NULL, offsetof(Type, count) }
#define END { NULL, UTM_PY_U32, 0, NULL, 0 }
#define OPTIONS(name) static const UtmPyField name[]

OPTIONS(context_fields) = { FIELD(UtmContextOptions, qemu_dirs, TEXTS), FIELD(UtmContextOptions, firmware_dirs, TEXTS),
	FIELD(UtmContextOptions, runtime_dir, TEXT), FIELD(UtmContextOptions, console_engine, TEXT),
	FIELD(UtmContextOptions, accel_policy, U32), FIELD(UtmContextOptions, argument_policy, U32), END };
OPTIONS(create_fields) = { COUNTED(UtmBundleCreateOptions, files, FILES, file_count),
	HANDLE(UtmBundleCreateOptions, cancel, UtmCancel), HANDLE(UtmBundleCreateOptions, progress, UtmProgress), END };
OPTIONS(import_fields) = { FIELD(UtmBundleImportOptions, name, TEXT), FIELD(UtmBundleImportOptions, flags, U32),
	HANDLE(UtmBundleImportOptions, cancel, UtmCancel), HANDLE(UtmBundleImportOptions, progress, UtmProgress), END };
OPTIONS(clone_fields) = { FIELD(UtmBundleCloneOptions, name, TEXT), FIELD(UtmBundleCloneOptions, flags, U32),
	HANDLE(UtmBundleCloneOptions, cancel, UtmCancel), HANDLE(UtmBundleCloneOptions, progress, UtmProgress),
	HANDLE(UtmBundleCloneOptions, config, UtmConfig), END };
OPTIONS(load_fields) = { FIELD(UtmConfigLoadOptions, flags, U32), FIELD(UtmConfigLoadOptions, name, TEXT),
	FIELD(UtmConfigLoadOptions, host_architecture, TEXT), END };
OPTIONS(new_fields) = { FIELD(UtmConfigNewOptions, backend, U32), FIELD(UtmConfigNewOptions, architecture, TEXT),
	FIELD(UtmConfigNewOptions, target, TEXT), FIELD(UtmConfigNewOptions, name, TEXT),
	FIELD(UtmConfigNewOptions, host_architecture, TEXT), FIELD(UtmConfigNewOptions, flags, U32), END };
OPTIONS(check_fields) = { HANDLE(UtmConfigCheckOptions, host, UtmHost), HANDLE(UtmConfigCheckOptions, hardware, UtmHardware), END };
OPTIONS(reset_fields) = { FIELD(UtmUefiResetOptions, keys, U32), FIELD(UtmUefiResetOptions, timeout_ms, I64),
	HANDLE(UtmUefiResetOptions, cancel, UtmCancel), HANDLE(UtmUefiResetOptions, host, UtmHost), END };
OPTIONS(inspect_fields) = { FIELD(UtmImageInspectOptions, format, U32), FIELD(UtmImageInspectOptions, timeout_ms, I64),
	HANDLE(UtmImageInspectOptions, cancel, UtmCancel), END };
OPTIONS(image_create_fields) = { FIELD(UtmImageCreateOptions, format, U32), FIELD(UtmImageCreateOptions, preallocation, U32),
	FIELD(UtmImageCreateOptions, timeout_ms, I64), HANDLE(UtmImageCreateOptions, cancel, UtmCancel), END };
OPTIONS(resize_fields) = { FIELD(UtmImageResizeOptions, format, U32), FIELD(UtmImageResizeOptions, flags, U32),
	FIELD(UtmImageResizeOptions, timeout_ms, I64), HANDLE(UtmImageResizeOptions, cancel, UtmCancel), END };
OPTIONS(convert_fields) = { FIELD(UtmImageConvertOptions, source_format, U32), FIELD(UtmImageConvertOptions, format, U32),
	FIELD(UtmImageConvertOptions, compression, U32), FIELD(UtmImageConvertOptions, flags, U32),
	FIELD(UtmImageConvertOptions, timeout_ms, I64), HANDLE(UtmImageConvertOptions, cancel, UtmCancel),
	HANDLE(UtmImageConvertOptions, progress, UtmProgress), END };
OPTIONS(qmp_connect_fields) = { FIELD(UtmQmpConnectOptions, timeout_ms, I64), HANDLE(UtmQmpConnectOptions, cancel, UtmCancel),
	FIELD(UtmQmpConnectOptions, flags, U32), FIELD(UtmQmpConnectOptions, record_file, TEXT), END };
OPTIONS(call_fields) = { FIELD(UtmQmpCallOptions, timeout_ms, I64), HANDLE(UtmQmpCallOptions, cancel, UtmCancel),
	FIELD(UtmQmpCallOptions, flags, U32), FIELD(UtmQmpCallOptions, fd, FD), END };
OPTIONS(wait_fields) = { FIELD(UtmQmpWaitOptions, timeout_ms, I64), HANDLE(UtmQmpWaitOptions, cancel, UtmCancel), END };
OPTIONS(guest_fields) = { FIELD(UtmGuestConnectOptions, timeout_ms, I64), HANDLE(UtmGuestConnectOptions, cancel, UtmCancel),
	FIELD(UtmGuestConnectOptions, flags, U32), END };
OPTIONS(start_fields) = { FIELD(UtmVmStartOptions, flags, U32), FIELD(UtmVmStartOptions, timeout_ms, I64),
	HANDLE(UtmVmStartOptions, cancel, UtmCancel), HANDLE(UtmVmStartOptions, host, UtmHost),
	COUNTED(UtmVmStartOptions, network_fds, TAPS, network_fd_count), END };
OPTIONS(stop_fields) = { FIELD(UtmVmStopOptions, request_timeout_ms, I64), FIELD(UtmVmStopOptions, force_timeout_ms, I64),
	HANDLE(UtmVmStopOptions, cancel, UtmCancel), END };
OPTIONS(console_fields) = { FIELD(UtmConsoleOptions, timeout_ms, I64), HANDLE(UtmConsoleOptions, cancel, UtmCancel),
	FIELD(UtmConsoleOptions, password, TEXT), END };
%}
%options(UtmContextOptions, UTM_CONTEXT_OPTIONS_INIT, context_fields)
%options(UtmBundleCreateOptions, UTM_BUNDLE_CREATE_OPTIONS_INIT, create_fields)
%options(UtmBundleImportOptions, UTM_BUNDLE_IMPORT_OPTIONS_INIT, import_fields)
%options(UtmBundleCloneOptions, UTM_BUNDLE_CLONE_OPTIONS_INIT, clone_fields)
%options(UtmConfigLoadOptions, UTM_CONFIG_LOAD_OPTIONS_INIT, load_fields)
%options(UtmConfigNewOptions, UTM_CONFIG_NEW_OPTIONS_INIT, new_fields)
%options(UtmConfigCheckOptions, UTM_CONFIG_CHECK_OPTIONS_INIT, check_fields)
%options(UtmUefiResetOptions, UTM_UEFI_RESET_OPTIONS_INIT, reset_fields)
%options(UtmImageInspectOptions, UTM_IMAGE_INSPECT_OPTIONS_INIT, inspect_fields)
%options(UtmImageCreateOptions, UTM_IMAGE_CREATE_OPTIONS_INIT, image_create_fields)
%options(UtmImageResizeOptions, UTM_IMAGE_RESIZE_OPTIONS_INIT, resize_fields)
%options(UtmImageConvertOptions, UTM_IMAGE_CONVERT_OPTIONS_INIT, convert_fields)
%options(UtmQmpConnectOptions, UTM_QMP_CONNECT_OPTIONS_INIT, qmp_connect_fields)
%options(UtmQmpCallOptions, UTM_QMP_CALL_OPTIONS_INIT, call_fields)
%options(UtmQmpWaitOptions, UTM_QMP_WAIT_OPTIONS_INIT, wait_fields)
%options(UtmGuestConnectOptions, UTM_GUEST_CONNECT_OPTIONS_INIT, guest_fields)
%options(UtmVmStartOptions, UTM_VM_START_OPTIONS_INIT, start_fields)
%options(UtmVmStopOptions, UTM_VM_STOP_OPTIONS_INIT, stop_fields)
%options(UtmConsoleOptions, UTM_CONSOLE_OPTIONS_INIT, console_fields)

/* ---------------------------------------------------------------- callbacks */

%{
static PyObject *utm_py_event(const UtmQmpEvent *event)
{
	return Py_BuildValue("NNLKN", utm_py_str(event->name), utm_py_str(event->data), (long long)event->timestamp_us,
	                     (unsigned long long)event->dropped, utm_py_exception(event->error));
}

static PyObject *utm_py_image_info(UtmImageInfo *info)
{
	return utm_py_new(info ? utm_image_info_ref(info) : NULL, SWIGTYPE_p_UtmImageInfo);
}

static PyObject *utm_py_size(const UtmBundleSize *size)
{
	return size ? Py_BuildValue("KKK", (unsigned long long)size->length_bytes, (unsigned long long)size->allocated_bytes,
	                            (unsigned long long)size->file_count)
	            : Py_NewRef(Py_None);
}

UTM_PY_CALLBACK(log, (UtmContext *ctx, uint32_t level, const char *message, void *user_data), "(IN)", level,
                utm_py_str(message))
UTM_PY_CALLBACK(bundle_made, (UtmContext *ctx, UtmBundle *bundle, const UtmError *error, void *user_data), "(NN)",
                utm_py_new(bundle, SWIGTYPE_p_UtmBundle), utm_py_exception(error))
UTM_PY_CALLBACK(bundle_imported, (UtmBundle *bundle, const char *name, const UtmError *error, void *user_data), "(NN)",
                utm_py_str(name), utm_py_exception(error))
UTM_PY_CALLBACK(bundle_size, (UtmBundle *bundle, const UtmBundleSize *size, const UtmError *error, void *user_data), "(NN)",
                utm_py_size(size), utm_py_exception(error))
UTM_PY_CALLBACK(bundle_list, (UtmContext *ctx, UtmBundleList *list, const UtmError *error, void *user_data), "(NN)",
                utm_py_new(list, SWIGTYPE_p_UtmBundleList), utm_py_exception(error))
UTM_PY_CALLBACK(bundle_done, (UtmBundle *bundle, const UtmError *error, void *user_data), "(ON)", Py_None,
                utm_py_exception(error))
UTM_PY_CALLBACK(image_done, (UtmContext *ctx, const UtmError *error, void *user_data), "(ON)", Py_None,
                utm_py_exception(error))
UTM_PY_CALLBACK(image_info_done, (UtmContext *ctx, UtmImageInfo *info, const UtmError *error, void *user_data), "(NN)",
                utm_py_image_info(info), utm_py_exception(error))
UTM_PY_CALLBACK(hardware, (UtmContext *ctx, UtmHardware *hardware, const UtmError *error, void *user_data), "(NN)",
                utm_py_new(hardware, SWIGTYPE_p_UtmHardware), utm_py_exception(error))
UTM_PY_CALLBACK(vm_done, (UtmVm *vm, const UtmError *error, void *user_data), "(ON)", Py_None, utm_py_exception(error))
UTM_PY_CALLBACK(vm_event, (UtmVm *vm, const UtmVmEvent *event, void *user_data), "(IIINNK)", event->kind, event->state,
                event->old_state, utm_py_str(event->text), utm_py_str(event->json), (unsigned long long)event->dropped)
UTM_PY_CALLBACK(vm_serial, (UtmVm *vm, uint32_t index, const void *data, size_t size_bytes, void *user_data), "(N)",
                utm_py_bytes(data, size_bytes))
UTM_PY_CALLBACK(qmp_event, (UtmQmp *qmp, const UtmQmpEvent *event, void *user_data), "N", utm_py_event(event))
UTM_PY_CALLBACK(qmp_reply, (UtmQmp *qmp, const char *reply, const UtmError *error, void *user_data), "(NN)",
                utm_py_str(reply), utm_py_exception(error))
UTM_PY_CALLBACK(qmp_has_answer, (UtmQmp *qmp, bool has, const UtmError *error, void *user_data), "(NN)",
                PyBool_FromLong(has), utm_py_exception(error))
UTM_PY_CALLBACK(guest_reply, (UtmGuest *guest, const char *reply, const UtmError *error, void *user_data), "(NN)",
                utm_py_str(reply), utm_py_exception(error))
UTM_PY_CALLBACK(console_event, (UtmConsole *console, const UtmConsoleEvent *event, void *user_data), "(IIIN)", event->kind,
                event->state, event->display, utm_py_exception(event->error))
UTM_PY_CALLBACK(frame_shown, (UtmDisplay *display, void *user_data), "()")
%}

%define %triple(Func, trampoline)
%typemap(in) (Func fn, void *user_data, UtmFreeFunc free_fn) {
	if ($input == Py_None) {
		$1 = NULL;
		$2 = NULL;
		$3 = NULL;
	} else if (PyCallable_Check($input)) {
		$1 = trampoline;
		$2 = Py_NewRef($input);
		$3 = utm_py_release;
	} else {
		PyErr_SetString(PyExc_TypeError, "a callable or None is needed");
		SWIG_fail;
	}
}
%enddef
%triple(UtmLogFunc, utm_py_log)
%triple(UtmBundleMadeFunc, utm_py_bundle_made)
%triple(UtmBundleImportedFunc, utm_py_bundle_imported)
%triple(UtmBundleSizeFunc, utm_py_bundle_size)
%triple(UtmBundleListFunc, utm_py_bundle_list)
%triple(UtmUefiResetFunc, utm_py_bundle_done)
%triple(UtmBundleImageFunc, utm_py_bundle_done)
%triple(UtmImageDoneFunc, utm_py_image_done)
%triple(UtmImageInfoFunc, utm_py_image_info_done)
%triple(UtmHardwareFunc, utm_py_hardware)
%triple(UtmVmDoneFunc, utm_py_vm_done)
%triple(UtmVmEventFunc, utm_py_vm_event)
%triple(UtmVmSerialFunc, utm_py_vm_serial)
%triple(UtmQmpEventFunc, utm_py_qmp_event)
%triple(UtmQmpReplyFunc, utm_py_qmp_reply)
%triple(UtmQmpHasFunc, utm_py_qmp_has_answer)
%triple(UtmGuestReplyFunc, utm_py_guest_reply)
%triple(UtmConsoleEventFunc, utm_py_console_event)
%triple(UtmFrameFunc, utm_py_frame_shown)

%exception utm_context_dispatch {
	$action
	if (!utm_py_dispatched())
		SWIG_fail;
}
%exception utm_context_wait {
	$action
	if (!utm_py_dispatched())
		SWIG_fail;
}

/* ---------------------------------------------------------------- what Python does otherwise, or has no use for */

%ignore utm_context_set_wakeup; /* its callback may run on any thread; the descriptor does the same */
%ignore utm_call_result_finish;
%rename("$ignore", regextarget=1) "_(ref|unref)$";
%rename("$ignore", regextarget=1) "^utm_(bundle_files|bundle_list|findings)_free$";
%ignore utm_free;
%ignore utm_frame_get_data; /* FrameBuffer */
%rename("$ignore", regextarget=1) "^utm_error_(get|dup)_(?!never)"; /* exceptions */
%immutable;

%include <utm/macros.h>
%include <utm/error-codes.h>
%include <utm/finding-codes.h>
%include <utm/types.h>
%include <utm/error.h>
%include <utm/context.h>
%include <utm/hardware.h>
%include <utm/argv.h>
%include <utm/configuration.h>
%include <utm/config-schema.h>
%include <utm/findings.h>
%include <utm/bundle.h>
%include <utm/firmware.h>
%include <utm/image.h>
%include <utm/qmp.h>
%include <utm/guest.h>
%include <utm/display.h>
%include <utm/console.h>
%include <utm/vm.h>
%include <utm/version.h>

/* These make Python's objects. */
%nothread UtmFrameInfo::list_damage;
%nothread set_error_factory;

%extend UtmImageInfo {
	~UtmImageInfo() { utm_image_info_unref($self); }
	const UtmImageSnapshot *get_snapshot(size_t index) { return index < $self->snapshot_count ? $self->snapshots[index] : NULL; }
}
%extend UtmFrameInfo {
	/* [(x, y, width, height), ...] */
	PyObject *list_damage()
	{
		PyObject *list = PyList_New(0);
		for (uint32_t i = 0; list && i < $self->damage_count; i++) {
			const UtmRect *r = &$self->damage[i];
			PyObject *rectangle = Py_BuildValue("iiii", r->x, r->y, r->width, r->height);
			if (!rectangle || PyList_Append(list, rectangle) < 0)
				Py_CLEAR(list);
			Py_XDECREF(rectangle);
		}
		return list;
	}
}

%inline %{
/* `factory(code, domain, message, key_path, file, remedy, qmp_class, errno, exit_status, stderr_tail, text)` makes exceptions. */
static void set_error_factory(PyObject *factory)
{
	Py_XSETREF(utm_py_error_factory, Py_NewRef(factory));
}
%}

%{
static swig_type_info *utm_py_frame_type_info(void)
{
	return SWIGTYPE_p_UtmFrame;
}
%}
%init %{
	if (PyType_Ready(&utm_py_frame_type) == 0)
		PyModule_AddObject(m, "FrameBuffer", Py_NewRef((PyObject *)&utm_py_frame_type));
%}
%pythoncode %{
FrameBuffer = _capi.FrameBuffer
%}
