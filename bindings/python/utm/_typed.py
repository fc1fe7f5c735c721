# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the generated types of QMP, the guest agent and the configuration have in common: reading and writing by tables.

The classes of `qmp_types`, `qga_types` and `config_types` are declarations: names, types, what may be absent. Everything they
do is here. The JSON is byte for byte that of the C library, which is what a round trip over all types compares.

For the rest of the package:

- `failure` makes the exception of what does not fit; it is called with a `Misfit`, which has code, message and key path, and
  replaced once, at import, by what makes a `utm.Error`.
- Classes that send commands derive from the generated `QmpCommands` (or `AsyncQmpCommands`, `QgaCommands`, ...) and have
  `_execute(command, arguments, timeout)`, which takes a text of JSON or None and returns the reply as one; that of an
  `Async...` class is a coroutine.
- `event_from_json(name, data, timestamp)` of `qmp_types` makes the typed event.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import sys
from json.encoder import encode_basestring as _quoted  # type: ignore[attr-defined]
from typing import Any, Callable, ClassVar, Iterator, Mapping, NoReturn, Self, TypeAlias

__all__ = ["Alternate", "Event", "Misfit", "Null", "NULL", "OpenEnum", "Struct", "Union", "UnknownEvent"]

# As of the C library: of a message, and of structs within structs.
SIZE_MAX = 65 << 20
DEPTH_MAX = 256

_new = object.__new__
# A reader (value, depth) and a writer (value, out, depth).
_Codec: TypeAlias = tuple[Callable[..., Any], Callable[..., None]]


class Misfit(ValueError):
    """A value that is not of its type. `key_path` says where, as in `a.b[3].c`, and `code` what C calls it."""

    code = "INVALID_ARGUMENT"

    def __init__(self, message: str, *steps: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.steps: list[str | int] = list(steps)

    def within(self, step: str | int) -> Misfit:
        """The same, seen from one level further out. Steps are kept from the innermost outwards."""
        self.steps.append(step)
        return self

    @property
    def key_path(self) -> str:
        path = ""
        for step in reversed(self.steps):
            if isinstance(step, int):
                path += f"[{step}]"
            else:
                path += f".{step}" if path and step else step
        return path

    def __str__(self) -> str:
        return f"{self.key_path}: {self.message}" if self.steps else self.message


def failure(misfit: Misfit) -> Exception:
    """The exception that callers get; the package puts its own in this place."""
    return misfit


def _raise(misfit: Misfit, code: str) -> NoReturn:
    misfit.code = code
    raise failure(misfit) from None


class Null:
    """What `NULL` is: JSON's null where a value may be null, for None says that there is none."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "NULL"


NULL = Null()


# --- texts to trees ---

# What Python's reader takes and C's does not, where it is too rare to be looked for in each value.
_SUSPECT = re.compile(r"\\u0000|\\u[dD][89a-fA-F]|[0-9]{19}")


class _Doubled(dict[str, Any]):
    """An object of JSON in which names stand twice; the later ones count in free-form values."""

    doubled: set[str]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    names = [name for name, _ in pairs]
    made = _Doubled(made)
    made.doubled = {name for name in names if names.count(name) > 1}
    return made


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Misfit("a number beyond 64 bits")
    return number


def _no_constant(text: str) -> Any:
    raise Misfit("not a value")


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_real, parse_constant=_no_constant)


def parse(text: str | bytes | bytearray | memoryview) -> Any:
    """A text as a tree of Python's values; what cannot be in a message is a `Misfit`."""
    try:
        if not isinstance(text, str):
            text = str(text, "utf-8")
        if len(text) > SIZE_MAX:
            raise Misfit("the text is too long")
        if not text.isascii():
            text.encode()
        tree = _decoder.decode(text)
        if _SUSPECT.search(text):
            check_tree(tree)
        return tree
    except UnicodeError:
        raise Misfit("invalid UTF-8") from None
    except RecursionError:
        raise Misfit("nested too deeply") from None
    except Misfit:
        raise
    except ValueError as error:
        raise Misfit(f"no JSON: {error}") from None


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Misfit("a string with U+0000")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeError:
            raise Misfit("invalid UTF-8") from None


def check_tree(tree: Any) -> None:
    """Whether all in a tree may be in a message, with the key path where it may not."""
    kind = type(tree)
    if kind is int and not -1 << 63 <= tree < 1 << 64:
        raise Misfit("a number beyond 64 bits")
    if kind is float and not math.isfinite(tree):
        raise Misfit("is nothing that JSON can say")
    if kind is str:
        _check_text(tree)
    elif isinstance(tree, dict):
        for name, item in tree.items():
            try:
                _check_text(name)
                check_tree(item)
            except Misfit as misfit:
                raise misfit.within(name)
    elif kind is list:
        for index, item in enumerate(tree):
            try:
                check_tree(item)
            except Misfit as misfit:
                raise misfit.within(index)


# --- trees to texts ---

def _utf16(name: str) -> bytes:
    """Names are in the order of their UTF-16 units."""
    return name.encode("utf-16-be", "surrogatepass")


def number_text(number: float) -> str:
    """The shortest of 15 to 17 digits that is read as the same number; always with what tells it from an integer."""
    if not math.isfinite(number):
        raise Misfit("is nothing that JSON can say")
    text = "%.15g" % number
    if float(text) != number:
        text = "%.16g" % number
        if float(text) != number:
            text = "%.17g" % number
    return text if "." in text or "e" in text else text + ".0"


_KINDS = {type(None): "null", Null: "null", bool: "a boolean", int: "an integer", float: "a number", str: "a string",
          list: "an array", tuple: "an array", dict: "a dictionary", _Doubled: "a dictionary", bytes: "data"}


def _wrong(expected: str, value: Any) -> Misfit:
    return Misfit(f"must be {expected}, not {_KINDS.get(type(value), type(value).__name__)}")


def _write_any(value: Any, out: list[str], depth: int) -> None:
    """A free-form value."""
    if value is None or value is NULL:
        out.append("null")
    elif isinstance(value, str):
        out.append(_quoted(value))
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, int):
        if not -1 << 63 <= value < 1 << 64:
            raise Misfit("a number beyond 64 bits")
        out.append(int.__repr__(value))
    elif isinstance(value, float):
        out.append(number_text(value))
    elif isinstance(value, Struct):
        value._write(out, depth)
    elif isinstance(value, (bytes, bytearray)):
        _write_data(value, out, depth)
    elif isinstance(value, Mapping):
        _write_object(value, out, depth)
    elif isinstance(value, (list, tuple)):
        _write_array(value, out, depth, _write_any)
    else:
        raise Misfit(f"{type(value).__name__} is nothing that JSON can say")


def _write_object(value: Mapping[str, Any], out: list[str], depth: int) -> None:
    for name in value:
        if not isinstance(name, str):
            raise Misfit("has a key that is no string")
    before = "{"
    for name in sorted(value, key=_utf16):
        out.append(f"{before}{_quoted(name)}:")
        try:
            _write_any(value[name], out, depth)
        except Misfit as misfit:
            raise misfit.within(name)
        before = ","
    out.append("{}" if before == "{" else "}")


def _write_array(value: Any, out: list[str], depth: int, write: Callable[..., None]) -> None:
    before = "["
    for index, item in enumerate(value):
        out.append(before)
        try:
            write(item, out, depth)
        except Misfit as misfit:
            raise misfit.within(index)
        before = ","
    out.append("[]" if before == "[" else "]")


def _finish(out: list[str], indent: bool) -> str:
    text = "".join(out)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeError:
            raise Misfit("is not valid UTF-8") from None
    # Sorted already; what is indented is for people, or for the C library to read.
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if indent else text


# --- one value of each kind ---

def _read_bool(value: Any, depth: int) -> bool:
    if value is True or value is False:
        return value
    raise _wrong("a boolean", value)


def _write_bool(value: Any, out: list[str], depth: int) -> None:
    if value is not True and value is not False:
        raise _wrong("a boolean", value)
    out.append("true" if value else "false")


def _read_str(value: Any, depth: int) -> str:
    if type(value) is str:
        return value
    raise _wrong("a string", value)


def _write_str(value: Any, out: list[str], depth: int) -> None:
    if not isinstance(value, str):
        raise _wrong("a string", value)
    if "\0" in value:
        raise Misfit("a string with U+0000")
    out.append(_quoted(value))


def _read_number(value: Any, depth: int) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise _wrong("a number", value)


def _write_number(value: Any, out: list[str], depth: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong("a number", value)
    out.append(number_text(float(value)))


def _read_null(value: Any, depth: int) -> Null:
    if value is None or value is NULL:
        return NULL
    raise _wrong("null", value)


def _write_null(value: Any, out: list[str], depth: int) -> None:
    if value is not NULL:
        raise _wrong("null", value)
    out.append("null")


def _read_any(value: Any, depth: int) -> Any:
    return NULL if value is None else value


def _read_data(value: Any, depth: int) -> bytes:
    """Bytes, for which JSON has an object with one key."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("$data"), str):
        try:
            return base64.b64decode(value["$data"])
        except binascii.Error:
            raise Misfit("is no base64") from None
    raise _wrong("data", value)


def _write_data(value: Any, out: list[str], depth: int) -> None:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise _wrong("data", value)
    out.append('{"$data":"%s"}' % base64.b64encode(value).decode())


def _int_codec(bits: int, signed: bool) -> _Codec:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    problem = f"must be an integer of {bits} bits{'' if signed else ' without sign'}"

    def read(value: Any, depth: int) -> int:
        if type(value) is float:
            if not value.is_integer() or abs(value) >= 2.0 ** 63:
                raise Misfit(problem)
            value = int(value)
        elif type(value) is not int:
            raise _wrong("an integer", value)
        if low <= value <= high:
            return value
        raise Misfit(problem)

    def write(value: Any, out: list[str], depth: int) -> None:
        if not isinstance(value, int) or value is True or value is False:
            raise _wrong("an integer", value)
        if not low <= value <= high:
            raise Misfit(problem)
        out.append(int.__repr__(value))

    return read, write


_CODECS: dict[str, _Codec] = {
    "bool": (_read_bool, _write_bool), "str": (_read_str, _write_str), "number": (_read_number, _write_number),
    "null": (_read_null, _write_null), "any": (_read_any, _write_any), "data": (_read_data, _write_data),
    **{f"{sign}{bits}": _int_codec(bits, sign == "i") for sign in "iu" for bits in (8, 16, 32, 64)}}


def _list_codec(read_item: Callable[..., Any], write_item: Callable[..., None], free: bool) -> _Codec:
    def read(value: Any, depth: int) -> list[Any]:
        if type(value) is not list:
            raise _wrong("an array", value)
        if free:
            return value
        made: list[Any] = []
        try:
            for item in value:
                made.append(read_item(item, depth))
        except Misfit as misfit:
            raise misfit.within(len(made))
        return made

    def write(value: Any, out: list[str], depth: int) -> None:
        if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple)):
            raise _wrong("an array", value)
        _write_array(value, out, depth, write_item)

    return read, write


def _codec_of(module: Any, spec: str) -> _Codec:
    """Of what a table calls a type: a word, the name of a class, or either in brackets."""
    if spec in _CODECS:
        return _CODECS[spec]
    if spec.startswith("["):
        return _list_codec(*_codec_of(module, spec[1:-1]), free=spec == "[any]")
    of = getattr(module, spec)
    write = of._write if isinstance(of, Alternate) else _writer_of(of)
    return of._read, write  # type: ignore[return-value]


def _writer_of(of: type[Struct] | type[OpenEnum]) -> Callable[..., None]:
    if issubclass(of, OpenEnum):
        return _write_str

    def write(value: Any, out: list[str], depth: int) -> None:
        if not isinstance(value, of):
            raise Misfit(f"must be a {of.__name__}, not {_KINDS.get(type(value), type(value).__name__)}")
        value._write(out, depth)

    return write


# --- enumerations ---

class OpenEnum(str):
    """A text of which some are known. Those are constants of the class; others are kept as they came."""

    __slots__ = ()
    _texts: ClassVar[dict[str, str]]
    _known: ClassVar[dict[str, OpenEnum]]

    def __init_subclass__(cls) -> None:
        cls._known = {}
        for name, text in cls._texts.items():
            cls._known[text] = value = str.__new__(cls, text)
            setattr(cls, name, value)

    def __new__(cls, text: str) -> Any:
        return cls._known.get(text) or str.__new__(cls, text)

    @classmethod
    def of(cls, text: str | None) -> Any:
        """The value of a text, or None for none."""
        return cls(text) if type(text) is str else text

    @classmethod
    def known(cls) -> list[Any]:
        """Those that this version of the library knows, in the order of their numbers in C."""
        return list(cls._known.values())

    @property
    def is_known(self) -> bool:
        """Whether this version of the library knows it."""
        return self in type(self)._known

    @classmethod
    def _read(cls, value: Any, depth: int) -> Any:
        if type(value) is str or isinstance(value, cls):
            return cls._known.get(value) or str.__new__(cls, value)
        raise _wrong("a string", value)

    def __repr__(self) -> str:
        for name, text in type(self)._texts.items():
            if text == self:
                return f"{type(self).__name__}.{name}"
        return f"{type(self).__name__}({str.__repr__(self)})"

    def __reduce__(self) -> Any:
        return type(self), (str(self),)

    def __str__(self) -> str:
        return str.__str__(self)


# --- structs ---

class _Plan:
    """What is made of a class's table when it is first read or written."""

    __slots__ = ("readers", "writers", "required", "attributes", "branches", "tag")

    def __init__(self, cls: type[Struct]) -> None:
        module = sys.modules[cls.__module__]
        self.readers: dict[str, tuple[str, Callable[..., Any]]] = {}
        self.writers: list[tuple[str, str, str, Callable[..., None], bool]] = []
        self.required: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, Any]] = []
        for name, attribute, spec, required, older, default in cls._members():
            read, write = _codec_of(module, spec)
            if older:
                read, write = _either(read, write, *_codec_of(module, older))
            if issubclass(cls, Struct) and cls._null_is_absent:
                read = _or_none(read)
            self.readers[name] = (attribute, read)
            self.writers.append((f',{_quoted(name)}:', name, attribute, write, required))
            if isinstance(default, str) and spec not in _CODECS:
                default = getattr(module, spec)(default)
            self.attributes.append((attribute, default))
            if required:
                self.required.append((name, attribute))
        self.branches = {name: getattr(module, type_) for name, type_ in cls._branches.items()}
        self.tag: str = next((m[1] for m in cls._members() if m[0] == cls._tag), "")


def _either(read: Callable[..., Any], write: Callable[..., None], older_read: Callable[..., Any],
            older_write: Callable[..., None]) -> _Codec:
    """A member whose type changed: the newer one, or what older peers send."""
    def read_either(value: Any, depth: int) -> Any:
        try:
            return read(value, depth)
        except Misfit as misfit:
            last = misfit
        try:
            return older_read(value, depth)
        except Misfit as misfit:
            last = misfit
        raise last

    def write_either(value: Any, out: list[str], depth: int) -> None:
        length = len(out)
        try:
            write(value, out, depth)
            return
        except Misfit:
            del out[length:]
        older_write(value, out, depth)

    return read_either, write_either


def _or_none(read: Callable[..., Any]) -> Callable[..., Any]:
    return lambda value, depth: None if value is None else read(value, depth)


class Struct:
    """The common part of typed values: reading from JSON, writing, comparing.

    Members that this version of the library does not know are `extras`: a dictionary, or None. They are written again.
    """

    __slots__ = ("extras",)
    __hash__ = None  # type: ignore[assignment]
    extras: dict[str, Any] | None
    # (name, attribute, type, required, older type, default) of each member, in the order of names; and of a union more.
    _table: ClassVar[tuple[tuple[Any, ...], ...]] = ()
    _tag: ClassVar[str | None] = None
    _branches: ClassVar[dict[str, str]] = {}
    _late: ClassVar[frozenset[str]] = frozenset()
    _null_is_absent: ClassVar[bool] = False
    _made: ClassVar[tuple[type, _Plan] | None] = None

    @classmethod
    def _members(cls) -> Iterator[tuple[Any, ...]]:
        for row in cls._table:
            name, attribute, spec, required, older, default, *_ = row + (None,) * (6 - len(row))
            yield name, attribute or name, spec, bool(required), older, default

    @classmethod
    def _plan(cls) -> _Plan:
        made = cls._made  # which may be that of a class above this one
        if made is None or made[0] is not cls:
            made = cls._made = (cls, _Plan(cls))
        return made[1]

    @classmethod
    def _malformed(cls) -> str:
        return "CONFIG_MALFORMED" if cls._null_is_absent else "QMP_MALFORMED"

    # --- for everybody ---

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The value that a text of JSON says."""
        try:
            return cls._read(parse(text), 0)
        except Misfit as misfit:
            _raise(misfit, cls._malformed())
        except RecursionError:
            _raise(Misfit("is nested too deeply"), cls._malformed())

    def to_json(self, *, indent: bool = False) -> str:
        """The value as JSON, as it is on the wire."""
        out: list[str] = []
        try:
            self._write(out, 0)
            return _finish(out, indent)
        except Misfit as misfit:
            _raise(misfit, "INVALID_ARGUMENT")
        except RecursionError:
            _raise(Misfit("is nested too deeply"), "INVALID_ARGUMENT")

    @classmethod
    def from_value(cls, value: Any) -> Self:
        """The same of what `json.loads()` would give."""
        try:
            check_tree(value)
            return cls._read(value, 0)
        except Misfit as misfit:
            _raise(misfit, cls._malformed())
        except RecursionError:
            _raise(Misfit("is nested too deeply"), cls._malformed())

    def to_value(self) -> dict[str, Any]:
        """The value as dictionaries, lists and scalars."""
        return json.loads(self.to_json())

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._compared()) and \
            (self.extras or None) == (other.extras or None)  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        shown = [(name, getattr(self, name, None)) for name in [*self._compared(), "extras"]]
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown if value is not None)})"

    @classmethod
    def _compared(cls) -> list[str]:
        return [attribute for _, attribute, *_ in cls._members()]

    # --- reading ---

    @classmethod
    def _read(cls, value: Any, depth: int) -> Any:
        if type(value) is not dict and not isinstance(value, dict):
            if isinstance(value, cls):
                return value
            raise _wrong("a dictionary", value)
        if depth >= DEPTH_MAX:
            raise Misfit("is nested too deeply")
        return cls._read_members(value, depth + 1)

    @classmethod
    def _read_members(cls, value: dict[str, Any], depth: int) -> Any:
        plan = cls._plan()
        self = _new(cls)
        for attribute, default in plan.attributes:
            setattr(self, attribute, default)
        readers, extras = plan.readers, None
        name = ""
        try:
            for name, item in value.items():
                reader = readers.get(name)
                if reader is None:
                    if extras is None:
                        extras = {}
                    extras[name] = item
                else:
                    setattr(self, reader[0], reader[1](item, depth))
        except Misfit as misfit:
            raise misfit.within(name)
        if type(value) is not dict:
            cls._check_doubled(value)
        for name, attribute in plan.required:
            if getattr(self, attribute) is None:
                raise Misfit("is missing", name)
        self.extras = extras
        return self

    @classmethod
    def _check_doubled(cls, value: dict[str, Any]) -> None:
        for name in getattr(value, "doubled", ()):
            if name in cls._plan().readers:
                raise Misfit("stands twice", name)

    # --- writing ---

    def _write(self, out: list[str], depth: int) -> None:
        if depth >= DEPTH_MAX:
            raise Misfit("is nested too deeply")
        start = len(out)
        self._write_members(out, depth + 1, ())
        if len(out) == start:
            out.append("{")
        else:
            out[start] = "{" + out[start][1:]
        out.append("}")

    def _write_members(self, out: list[str], depth: int, above: Any) -> None:
        """Each with a comma before its name. `above`: names that the union has written already."""
        rows = self._plan().writers
        extras = self.extras or {}
        if extras:
            rows = self._with_extras(rows)
        name = ""
        try:
            for text, name, attribute, write, required in rows:
                value = extras[name] if attribute is None else getattr(self, attribute)
                if value is None and attribute is not None:
                    if required and name not in above:
                        raise Misfit("is missing")
                    continue
                if name in above:
                    continue
                out.append(text)
                write(value, out, depth)
        except Misfit as misfit:
            raise misfit.within(name)

    def _with_extras(self, rows: list[Any]) -> list[Any]:
        names = {row[1] for row in rows}
        more = [(f",{_quoted(name)}:", name, None, _write_any, False) for name in self.extras or () if name not in names]
        return sorted(rows + more, key=lambda row: _utf16(row[1]))


class Union(Struct):
    """A struct that has more members by what one of them, the tag, says: those of `branch`.

    They can be read as if they were the union's own, and given to its constructor by name.
    """

    __slots__ = ("branch",)
    branch: Any

    def _begin(self, branch: Any, members: dict[str, Any]) -> None:
        """The end of a constructor, when the tag is set."""
        plan = self._plan()
        tag = getattr(self, plan.tag)
        of = plan.branches.get(tag)
        if members:
            if branch is not None:
                raise TypeError(f"{type(self).__name__}: a branch, and members of one besides")
            if of is None:
                raise TypeError(f"{type(self).__name__} has no member {next(iter(members))!r} where {plan.tag} is {tag!r}")
            branch = of(**members)
        elif branch is None and of is not None and not any(row[3:4] and row[3] for row in of._table):
            branch = of()
        self.branch = branch

    def __getattr__(self, name: str) -> Any:
        if name != "branch" and not name.startswith("_"):
            branch = self.branch
            if branch is not None:
                return getattr(branch, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}", name=name, obj=self)

    @classmethod
    def _compared(cls) -> list[str]:
        return [*super()._compared(), "branch"]

    @classmethod
    def _read_members(cls, value: dict[str, Any], depth: int) -> Any:
        self = super()._read_members(value, depth)
        plan = cls._plan()
        of = plan.branches.get(getattr(self, plan.tag))
        self.branch = None
        if of is None:
            return self
        rest, known = self.extras or {}, of._plan().readers
        shared = {name: item for name, item in value.items() if name in plan.readers and name in known}
        if shared:
            rest = rest | shared
        if getattr(self, plan.tag) in cls._late and not any(name in known for name in rest):
            return self
        if type(value) is not dict:
            doubled = _Doubled(rest)
            doubled.doubled = {name for name in getattr(value, "doubled", ()) if name not in plan.readers}
            rest = doubled
        self.extras = None
        self.branch = of._read_members(rest, depth)
        return self

    def _write_members(self, out: list[str], depth: int, above: Any) -> None:
        plan = self._plan()
        tag, branch = getattr(self, plan.tag), self.branch
        of = plan.branches.get(tag)
        if branch is not None and (of is None or not isinstance(branch, of)):
            raise Misfit(f"is \"{tag}\", but the branch of another value is set", self._tag or "")
        super()._write_members(out, depth, above)
        if branch is not None and of is not None:
            shared = {name for name, (attribute, _) in plan.readers.items()
                      if name in of._plan().readers and getattr(self, attribute) is not None}
            branch._write_members(out, depth, {*above, *shared} if shared or above else ())
        elif of is not None and tag not in self._late and of._plan().required:
            raise Misfit("lacks the branch that its tag chooses")


# --- alternates ---

class Alternate:
    """A value that is one of several kinds: it is that value, without anything around it."""

    def __init__(self, module: str, name: str, branches: dict[str, str]) -> None:
        self.__module__ = module
        self.__name__ = name
        self._branches = branches
        self._codecs: dict[str, _Codec] | None = None

    def __repr__(self) -> str:
        return f"{self.__module__}.{self.__name__}"

    def _resolved(self) -> dict[str, _Codec]:
        if self._codecs is None:
            module = sys.modules[self.__module__]
            self._codecs = {}
            for spec in self._branches.values():
                for kind in _kinds_of(module, spec):
                    self._codecs.setdefault(kind, _codec_of(module, spec))
        return self._codecs

    def _codec(self, value: Any) -> _Codec:
        codec = self._resolved().get(_kind_of(value))
        if codec is None:
            raise _wrong("of another kind", value)
        return codec

    def _read(self, value: Any, depth: int) -> Any:
        if depth >= DEPTH_MAX:
            raise Misfit("is nested too deeply")
        return self._codec(value)[0](value, depth + 1)

    def _write(self, value: Any, out: list[str], depth: int) -> None:
        self._codec(value)[1](value, out, depth + 1)

    def from_json(self, text: str | bytes) -> Any:
        """The value that a text of JSON says."""
        try:
            return self._read(parse(text), 0)
        except Misfit as misfit:
            _raise(misfit, "QMP_MALFORMED")
        except RecursionError:
            _raise(Misfit("is nested too deeply"), "QMP_MALFORMED")

    def to_json(self, value: Any) -> str:
        """A value as JSON, as it is on the wire."""
        out: list[str] = []
        try:
            self._write(value, out, 0)
            return _finish(out, False)
        except Misfit as misfit:
            _raise(misfit, "INVALID_ARGUMENT")


def _kind_of(value: Any) -> str:
    if value is None or value is NULL:
        return "null"
    if isinstance(value, (bool, str)):
        return "bool" if isinstance(value, bool) else "str"
    if isinstance(value, (int, float)):
        return "number"
    return "list" if isinstance(value, (list, tuple)) else "dict"


def _kinds_of(module: Any, spec: str) -> tuple[str, ...]:
    if spec.startswith("["):
        return ("list",)
    if spec in _CODECS:
        return (spec if spec in ("bool", "str", "null") else "number",)
    return ("str" if issubclass(getattr(module, spec), OpenEnum) else "dict",)


# --- commands and events ---

class Event(Struct):
    """Something that happened. `name` is what the peer calls it; `timestamp` is in seconds since 1970, or None."""

    __slots__ = ("timestamp",)
    event: ClassVar[str] = ""
    timestamp: float | None

    @classmethod
    def _read_members(cls, value: dict[str, Any], depth: int) -> Any:
        self = super()._read_members(value, depth)
        self.timestamp = None
        return self


class UnknownEvent(Event):
    """An event that this version of the library does not know; all of its data are in `extras`."""

    __slots__ = ("event",)

    def __init__(self, event: str, *, timestamp: float | None = None) -> None:
        self.extras = None
        self.event = event  # type: ignore[misc]
        self.timestamp = timestamp


def event_from_json(types: Mapping[str, type[Event]], name: str, text: str | bytes | None, timestamp: float | None) -> Event:
    """The typed event of this name; its data may be None."""
    cls = types.get(name)
    made: Event
    if cls is None:
        made = UnknownEvent(name)
        try:
            made.extras = parse(text) if text else None
        except Misfit as misfit:
            _raise(misfit, "QMP_MALFORMED")
    else:
        made = cls.from_json(text or "{}")
    made.timestamp = timestamp
    return made


def arguments(module: Any, type_: str, value: Struct | None, members: Mapping[str, Any],
              more: Mapping[str, Any] | None = None) -> str | None:
    """The arguments of a command as JSON: a value, or the members of one; None where there is none."""
    of = getattr(module, type_)
    if value is None:
        value = of(**members)
    elif members:
        raise TypeError(f"a {type_}, and members of one besides")
    elif not isinstance(value, of):
        raise TypeError(f"must be a {type_}, not {type(value).__name__}")
    if more:
        value.extras = {**(value.extras or {}), **more}
    text = value.to_json()
    return None if text == "{}" else text


def result(module: Any, spec: str, text: str | bytes) -> Any:
    """What a command returned, by the type that it returns."""
    try:
        return _codec_of(module, spec)[0](parse(text), 0)
    except Misfit as misfit:
        _raise(misfit, "QMP_MALFORMED")
    except RecursionError:
        _raise(Misfit("is nested too deeply"), "QMP_MALFORMED")
