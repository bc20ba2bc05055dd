"""Readers made of Avro schemas; see `schemas.compiled`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from struct import Struct
from typing import cast

from schemas.compiled import EPOCH, Encoded, Source, fields_of, indented

Reader = Callable[[bytes, int], tuple[object, int]]


def reader_of(schema: object, kept: Collection[str] = ()) -> Reader:
    """Reads a value that begins at a place in bytes: the value and the place behind it.

    A place behind the end means that the bytes were cut short; some that are no value raise instead. A record's fields
    that are `kept` (`field`, or `record.field`) are not looked into, which takes a fraction of the time: they come as
    Encoded.
    """
    source = _Reading(schema, kept)
    lines = ["def read(data, at):", *source.value(schema, "value"), " return value, at"]
    return cast(Reader, source.compiled(lines, "read", _HELPERS))


class _Reading(Source):
    """Statements that take a value from `data` at `at`."""

    def __init__(self, schema: object, kept: Collection[str]) -> None:
        super().__init__(schema)
        self._kept = kept
        self._path: tuple[str, ...] = ()

    def value(self, schema: object, name: str) -> list[str]:
        """Lines, indented by one, that set the variable `name`."""
        kind, declared = self.resolved(schema)
        match kind:
            case "string" | "bytes":
                size, decoded = self.fresh(), ".decode()" if kind == "string" else ""
                lines = [
                    f" {size} = data[at]",
                    f" if {size} & 129: {size}, at = read_size(data, at)",
                    f" else: {size} >>= 1; at += 1",
                    f" {name} = data[at:at + {size}]{decoded}",
                    f" at += {size}",
                ]
            case "int" | "long":
                lines = self._long(name)
            case "timestamp-millis":
                lines = [*self._long(name), f" {name} = epoch + timedelta(0, 0, 0, {name})"]
            case "double":
                lines = [f" {name}, = unpack_double(data, at)", " at += 8"]
            case "boolean":
                lines = [f" {name} = data[at] != 0", " at += 1"]
            case "enum":
                symbols = self.fresh(dict(enumerate(cast(list[str], declared["symbols"]))))
                lines = [*self._long(name), f" {name} = {symbols}[{name}]"]
            case "array" | "map":
                lines = self._blocks(kind, declared, name)
            case "record":
                lines = self._record(declared, name)
            case "union":
                null, other = self.optional(declared)
                branch = self.fresh()
                lines = [
                    *self._long(branch),
                    f" if {branch} == {null}: {name} = None",
                    f" elif {branch} == {1 - null}:",
                    *indented(self.value(other, name)),
                    " else: raise ValueError",
                ]
            case _:
                raise self.unknown(kind)
        return lines

    def _record(self, declared: Mapping[str, object], name: str) -> list[str]:
        lines, parts = [], []
        outer = self._path
        for declared_field in fields_of(declared):
            inner = self.fresh()
            self._path = (*outer, str(declared_field["name"]))
            if ".".join(self._path) in self._kept:
                lines += [
                    f" {inner} = at",
                    *self._skipped(declared_field["type"]),
                    f" {inner} = Encoded(data[{inner}:at])",
                ]
            else:
                lines += self.value(declared_field["type"], inner)
            parts.append(f"{declared_field['name']!r}: {inner}")
        self._path = outer
        return [*lines, f" {name} = {{{', '.join(parts)}}}"]

    def _long(self, name: str) -> list[str]:
        return [
            f" {name} = data[at]",
            f" if {name} > 127: {name}, at = read_long(data, at)",
            f" else: {name} = ({name} >> 1) ^ -({name} & 1); at += 1",
        ]

    def _blocks(self, kind: str, declared: Mapping[str, object], name: str) -> list[str]:
        key, item = self.fresh(), self.fresh()
        if kind == "array":
            inner = [*self.value(declared["items"], item), f" {name}.append({item})"]
            return [f" {name} = []", *self._each(inner)]
        inner = [
            *self.value("string", key),
            *self.value(declared["values"], item),
            f" {name}[{key}] = {item}",
        ]
        return [f" {name} = {{}}", *self._each(inner)]

    def _each(self, inner: Iterable[str], *, whole: bool = False) -> list[str]:
        """The blocks of an array or a map; one with a negative count tells its bytes and can be passed as a `whole`."""
        left, size = self.fresh(), self.fresh()
        passed = f"at += {size}; {left} = 0" if whole else f"{left} = -{left}"
        return [
            *self._long(left),
            f" while {left}:",
            f"  if {left} < 0: {size}, at = read_size(data, at); {passed}",
            f"  for _ in range({left}):",
            *indented(indented(inner)),
            *indented(self._long(left)),
        ]

    def _skipped(self, schema: object) -> list[str]:
        kind, declared = self.resolved(schema)
        match kind:
            case "string" | "bytes":
                size = self.fresh()
                return [
                    f" {size} = data[at]",
                    f" if {size} & 129: {size}, at = read_size(data, at); at += {size}",
                    f" else: at += ({size} >> 1) + 1",
                ]
            case "array":
                return self._each(self._skipped(declared["items"]), whole=True)
            case "map":
                inner = [*self._skipped("string"), *self._skipped(declared["values"])]
                return self._each(inner, whole=True)
        return self.value(schema, self.fresh())


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag varint at a place, and the place behind it."""
    six = int.from_bytes(data[at : at + 6], "little")
    if six & 0x808080808080 == 0x8080808080:  # six bytes, as milliseconds since 1970 take
        found = six & 0x7F | six >> 1 & 0x3F80 | six >> 2 & 0x1FC000 | six >> 3 & 0xFE00000
        found |= six >> 4 & 0x7F0000000 | six >> 5 & 0x3F800000000
        return (found >> 1) ^ -(found & 1), at + 6
    found = shift = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than ten bytes")
    if found >> 64:
        raise ValueError("a number of more than 64 bits")
    return (found >> 1) ^ -(found & 1), at


def _read_size(data: bytes, at: int) -> tuple[int, int]:
    size, at = _read_long(data, at)
    if size < 0:
        raise ValueError("a negative size")
    return size, at


_HELPERS: Mapping[str, object] = {
    "Encoded": Encoded,
    "epoch": EPOCH,
    "timedelta": timedelta,
    "unpack_double": Struct("<d").unpack_from,
    "read_long": _read_long,
    "read_size": _read_size,
}
