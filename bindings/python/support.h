/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the wrappers made by SWIG stand on: texts, errors, options from dictionaries, callbacks, and the buffer of a frame. */
#pragma once

#include <Python.h>
#include <stddef.h>
#include <string.h>
#include <utm/utm.h>

/* ---------------------------------------------------------------- texts and results */

/* A text or a path for C: str, bytes, os.PathLike or None. `ret_held` keeps it. */
static int utm_py_text(PyObject *object, PyObject **ret_held, const char **ret_text)
{
	Py_ssize_t length;
	char *text;
	*ret_text = NULL;
	if (object == Py_None)
		return 1;
	PyObject *plain = PyUnicode_Check(object) || PyBytes_Check(object) ? Py_NewRef(object) : PyOS_FSPath(object);
	if (plain && PyUnicode_Check(plain))
		Py_SETREF(plain, PyUnicode_AsEncodedString(plain, "utf-8", "surrogateescape"));
	if (!plain || PyBytes_AsStringAndSize(plain, &text, &length) < 0) {
		Py_XDECREF(plain);
		return 0;
	}
	if (strlen(text) != (size_t)length) {
		Py_DECREF(plain);
		PyErr_SetString(PyExc_ValueError, "embedded null character");
		return 0;
	}
	*ret_held = plain;
	*ret_text = text;
	return 1;
}

/* What C says may be a file's name, which need not be UTF-8. */
static PyObject *utm_py_str(const char *text)
{
	return text ? PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape") : Py_NewRef(Py_None);
}

static PyObject *utm_py_str_take(char *text)
{
	PyObject *result = utm_py_str(text);
	utm_free(text);
	return result;
}

static PyObject *utm_py_str_list(const char *const *texts)
{
	PyObject *list = PyList_New(0);
	for (; list && texts && *texts; texts++) {
		PyObject *text = utm_py_str(*texts);
		if (!text || PyList_Append(list, text) < 0)
			Py_CLEAR(list);
		Py_XDECREF(text);
	}
	return list;
}

/* The results of a function, one after another: the first is alone, further ones make a tuple. */
static PyObject *utm_py_append(PyObject *result, PyObject *value)
{
	if (!result || result == Py_None || !value) {
		Py_XDECREF(result);
		return value;
	}
	PyObject *tuple = PyTuple_Check(result) ? Py_NewRef(result) : PyTuple_Pack(1, result);
	PyObject *last = PyTuple_Pack(1, value), *both = tuple && last ? PySequence_Concat(tuple, last) : NULL;
	Py_XDECREF(tuple);
	Py_XDECREF(last);
	Py_DECREF(result);
	Py_DECREF(value);
	return both;
}

/* ---------------------------------------------------------------- errors */

static PyObject *utm_py_error_factory;

/* The exception for an error; None without one. */
static PyObject *utm_py_exception(const UtmError *error)
{
	if (!error)
		return Py_NewRef(Py_None);
	char *text = utm_error_dup_text(error);
	PyObject *exception = PyObject_CallFunction(
		utm_py_error_factory, "iiNNNNNiiNN", utm_error_get_code(error), utm_error_get_domain(error),
		utm_py_str(utm_error_get_message(error)), utm_py_str(utm_error_get_key_path(error)),
		utm_py_str(utm_error_get_file(error)), utm_py_str(utm_error_get_remedy(error)),
		utm_py_str(utm_error_get_qmp_class(error)), utm_error_get_errno(error), utm_error_get_exit_status(error),
		utm_py_str(utm_error_get_stderr_tail(error)), utm_py_str(text));
	utm_free(text);
	return exception;
}

static void utm_py_raise(UtmError *error_taken)
{
	PyObject *exception = utm_py_exception(error_taken);
	utm_error_unref(error_taken);
	if (exception)
		PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
	Py_XDECREF(exception);
}

/* Of functions that tell a code alone. */
static void utm_py_raise_code(int code)
{
	PyObject *exception = PyObject_CallFunction(utm_py_error_factory, "iisOOOOiiOs", code, 0, utm_error_code_get_meaning(code),
	                                            Py_None, Py_None, Py_None, Py_None, 0, -1, Py_None,
	                                            utm_error_code_get_meaning(code));
	if (exception)
		PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
	Py_XDECREF(exception);
}

/* ---------------------------------------------------------------- options */

typedef enum UtmPyKind { UTM_PY_U32, UTM_PY_I64, UTM_PY_TEXT, UTM_PY_TEXTS, UTM_PY_HANDLE, UTM_PY_FD, UTM_PY_FILES, UTM_PY_TAPS } UtmPyKind;

/* A member of a struct of options. `other` is the handle's SWIG type, or where the count of an array stands. */
typedef struct UtmPyField {
	const char *name;
	UtmPyKind kind;
	size_t offset;
	swig_type_info **type;
	size_t count_offset;
} UtmPyField;

/* Memory for the time of a call: a bytes object in the list `held`. */
static void *utm_py_room(PyObject *held, size_t size)
{
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
	int kept = bytes ? PyList_Append(held, bytes) : -1;
	char *room = kept == 0 ? PyBytes_AS_STRING(bytes) : NULL;
	Py_XDECREF(bytes);
	return room ? memset(room, 0, size) : NULL;
}

static int utm_py_held_text(PyObject *held, PyObject *object, const char **ret_text)
{
	PyObject *text = NULL;
	int good = utm_py_text(object, &text, ret_text) && (!text || PyList_Append(held, text) == 0);
	Py_XDECREF(text);
	return good;
}

static const char **utm_py_texts(PyObject *held, PyObject *object)
{
	PyObject *items = PySequence_Fast(object, "a sequence of texts is needed");
	Py_ssize_t count = items ? PySequence_Fast_GET_SIZE(items) : 0;
	const char **texts = items ? utm_py_room(held, (size_t)(count + 1) * sizeof *texts) : NULL;
	for (Py_ssize_t i = 0; texts && i < count; i++)
		if (!utm_py_held_text(held, PySequence_Fast_GET_ITEM(items, i), &texts[i]))
			texts = NULL;
	Py_XDECREF(items);
	return texts;
}

/* [(source, name), ...] */
static int utm_py_files(PyObject *held, PyObject *object, UtmBundleSource **ret_files, size_t *ret_count)
{
	PyObject *items = PySequence_Fast(object, "a sequence of (source, name) is needed"), *source, *name;
	Py_ssize_t count = items ? PySequence_Fast_GET_SIZE(items) : 0;
	UtmBundleSource *files = items ? utm_py_room(held, (size_t)(count + 1) * sizeof *files) : NULL;
	int good = files != NULL;
	for (Py_ssize_t i = 0; good && i < count; i++)
		good = PyArg_ParseTuple(PySequence_Fast_GET_ITEM(items, i), "OO", &source, &name) &&
		       utm_py_held_text(held, source, &files[i].source) && utm_py_held_text(held, name, &files[i].name);
	Py_XDECREF(items);
	*ret_files = files;
	*ret_count = (size_t)count;
	return good;
}

/* {index: fd, ...} */
static int utm_py_taps(PyObject *held, PyObject *object, UtmVmNetworkFd **ret_taps, size_t *ret_count)
{
	PyObject *key, *value;
	Py_ssize_t at = 0, count = PyDict_Check(object) ? PyDict_Size(object) : 0;
	UtmVmNetworkFd *taps = utm_py_room(held, (size_t)(count + 1) * sizeof *taps);
	*ret_taps = taps;
	*ret_count = (size_t)count;
	for (; taps && PyDict_Check(object) && PyDict_Next(object, &at, &key, &value); taps++)
		*taps = (UtmVmNetworkFd){ (uint32_t)PyLong_AsUnsignedLong(key), (int)PyLong_AsLong(value) };
	return taps && !PyErr_Occurred();
}

static int utm_py_set_field(PyObject *held, const UtmPyField *field, void *options, PyObject *value)
{
	void *place = (char *)options + field->offset;
	size_t *count = (size_t *)((char *)options + field->count_offset);
	switch (field->kind) {
	case UTM_PY_U32:
		*(uint32_t *)place = (uint32_t)PyLong_AsUnsignedLong(value);
		return !PyErr_Occurred();
	case UTM_PY_I64:
		*(int64_t *)place = PyLong_AsLongLong(value);
		return !PyErr_Occurred();
	case UTM_PY_TEXT:
		return utm_py_held_text(held, value, place);
	case UTM_PY_TEXTS:
		return (*(const char ***)place = utm_py_texts(held, value)) != NULL;
	case UTM_PY_FILES:
		return utm_py_files(held, value, place, count);
	case UTM_PY_TAPS:
		return utm_py_taps(held, value, place, count);
	case UTM_PY_FD: {
		int *fd = utm_py_room(held, sizeof *fd);
		if (fd)
			*fd = (int)PyLong_AsLong(value);
		*(const int **)place = fd;
		return fd && !PyErr_Occurred();
	}
	default:
		if (SWIG_IsOK(SWIG_ConvertPtr(value, place, *field->type, 0)))
			return 1;
		PyErr_Format(PyExc_TypeError, "%s is of another type", field->name);
		return 0;
	}
}

/* None leaves the defaults. A member that is None does, too. */
static int utm_py_options(PyObject *object, const UtmPyField *fields, void *options, PyObject **ret_held)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;
	if (object == Py_None)
		return 1;
	if (!PyDict_Check(object)) {
		PyErr_SetString(PyExc_TypeError, "options are a dictionary");
		return 0;
	}
	*ret_held = PyList_New(0);
	while (*ret_held && PyDict_Next(object, &at, &key, &value)) {
		const UtmPyField *field = fields;
		const char *name = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : NULL;
		while (field->name && (!name || strcmp(field->name, name) != 0))
			field++;
		if (!field->name) {
			PyErr_Format(PyExc_TypeError, "there is no option %R", key);
			return 0;
		}
		if (value != Py_None && !utm_py_set_field(*ret_held, field, options, value))
			return 0;
	}
	return *ret_held != NULL;
}

/* ---------------------------------------------------------------- callbacks */

/* What a callable raised in this thread's dispatch, until that raises it. */
static _Thread_local PyObject *utm_py_raised[3];

static void utm_py_keep_raised(PyObject *callable)
{
	if (utm_py_raised[0])
		PyErr_WriteUnraisable(callable);
	else
		PyErr_Fetch(&utm_py_raised[0], &utm_py_raised[1], &utm_py_raised[2]);
}

/* At the end of a dispatch. False: an exception is set. */
static int utm_py_dispatched(void)
{
	if (!utm_py_raised[0])
		return 1;
	PyErr_Restore(utm_py_raised[0], utm_py_raised[1], utm_py_raised[2]);
	memset(utm_py_raised, 0, sizeof utm_py_raised);
	return 0;
}

/* With the interpreter's lock; `arguments` is taken. */
static void utm_py_call(void *callable, PyObject *arguments)
{
	PyObject *result = arguments ? PyObject_CallObject(callable, arguments) : NULL;
	if (!result)
		utm_py_keep_raised(callable);
	Py_XDECREF(result);
	Py_XDECREF(arguments);
}

#define UTM_PY_CALLBACK(name, parameters, ...)                                                                       \
	static void utm_py_##name parameters                                                                         \
	{                                                                                                            \
		PyGILState_STATE state = PyGILState_Ensure();                                                        \
		utm_py_call(user_data, Py_BuildValue(__VA_ARGS__));                                                  \
		PyGILState_Release(state);                                                                           \
	}

static void utm_py_release(void *callable)
{
	/* The interpreter may be gone before the last handle is. */
	if (!Py_IsInitialized() || _Py_IsFinalizing())
		return;
	PyGILState_STATE state = PyGILState_Ensure();
	Py_DECREF((PyObject *)callable);
	PyGILState_Release(state);
}

static PyObject *utm_py_bytes(const void *data, size_t size)
{
	return PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
}

static PyObject *utm_py_new(void *handle, swig_type_info *type)
{
	return handle ? SWIG_NewPointerObj(handle, type, SWIG_POINTER_OWN) : Py_NewRef(Py_None);
}

/* ---------------------------------------------------------------- the buffer of a frame */

/* Holds a reference to the frame, which its views hold in turn: pixels stay as long as anybody looks at them. */
typedef struct UtmPyFrame {
	PyObject_HEAD
	UtmFrame *frame;
	Py_ssize_t shape[3], strides[3];
} UtmPyFrame;

static swig_type_info *utm_py_frame_type_info(void);

static PyObject *utm_py_frame_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
	PyObject *handle;
	void *frame = NULL;
	if (!PyArg_ParseTuple(arguments, "O", &handle))
		return NULL;
	if (!SWIG_IsOK(SWIG_ConvertPtr(handle, &frame, utm_py_frame_type_info(), 0)) || !frame) {
		PyErr_SetString(PyExc_TypeError, "a frame is needed");
		return NULL;
	}
	UtmPyFrame *self = (UtmPyFrame *)type->tp_alloc(type, 0);
	if (!self)
		return NULL;
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	self->frame = utm_frame_ref(frame);
	self->shape[0] = info->height;
	self->shape[1] = info->width;
	self->shape[2] = 4;
	self->strides[0] = info->stride_bytes;
	self->strides[1] = 4;
	self->strides[2] = 1;
	return (PyObject *)self;
}

static void utm_py_frame_dealloc(PyObject *object)
{
	utm_frame_unref(((UtmPyFrame *)object)->frame);
	Py_TYPE(object)->tp_free(object);
}

static int utm_py_frame_get_buffer(PyObject *object, Py_buffer *view, int flags)
{
	UtmPyFrame *self = (UtmPyFrame *)object;
	bool is_packed = self->strides[0] == self->shape[1] * 4;
	if (flags & PyBUF_WRITABLE || (!is_packed && (flags & PyBUF_STRIDES) != PyBUF_STRIDES)) {
		PyErr_SetString(PyExc_BufferError, "the pixels of a frame are read only, and its rows may be padded");
		view->obj = NULL;
		return -1;
	}
	*view = (Py_buffer){ .buf = (void *)utm_frame_get_data(self->frame),
		             .obj = Py_NewRef(object),
		             .len = self->shape[0] * self->shape[1] * 4,
		             .itemsize = 1,
		             .readonly = 1,
		             .ndim = 3,
		             .format = flags & PyBUF_FORMAT ? "B" : NULL,
		             .shape = self->shape,
		             .strides = self->strides };
	if (!(flags & PyBUF_ND))
		view->ndim = 1, view->shape = NULL;
	if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES)
		view->strides = NULL;
	return 0;
}

static PyBufferProcs utm_py_frame_buffer = { .bf_getbuffer = utm_py_frame_get_buffer };

static PyTypeObject utm_py_frame_type = {
	PyVarObject_HEAD_INIT(NULL, 0)
	.tp_name = "utm.capi.FrameBuffer",
	.tp_basicsize = sizeof(UtmPyFrame),
	.tp_dealloc = utm_py_frame_dealloc,
	.tp_as_buffer = &utm_py_frame_buffer,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.tp_new = utm_py_frame_new,
	.tp_doc = "The pixels of a frame, as rows of pixels of four bytes; no copy.",
};
