"""Writers made of Avro schemas; see `schemas.compiled`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from struct import Struct
from typing import cast

from schemas.compiled import EPOCH, Encoded, Source, fields_of, indented

Writer = Callable[[object, bytes], bytes]

_INT, _LONG = 2**31, 2**63
_TWO_BYTES = 2**14 - 1
# fourteen bits at a time by look-up: the last of a number, and those that more follow
_LAST = tuple(bytes((n,)) if n < 128 else bytes((n & 127 | 128, n >> 7)) for n in range(_TWO_BYTES + 1))
_MORE = tuple(bytes((n & 127 | 128, n >> 7 | 128)) for n in range(_TWO_BYTES + 1))


def sized(encoded: bytes, count: int) -> Encoded:
    """An array or map of `count` items in one block that tells its bytes: readers pass over it at once."""
    if not count:
        return Encoded(encoded)
    items = encoded[len(_varint(count)) : -1]
    return Encoded(b"".join((_varint(-count), _varint(len(items)), items, b"\0")))


def writer_of(schema: object) -> Writer:
    """Writes values of a schema as fastavro parsed it; raises whatever a value that does not fit brings about.

    Fields that have a default may be missing; timestamps are aware datetimes. Begins with the bytes `head`.
    """
    source = _Writing(schema)
    lines = ["def write(value, head):", " out = [head]", " put = out.append", *source.value(schema, "value")]
    return cast(Writer, source.compiled([*lines, ' return b"".join(out)'], "write", _HELPERS))


class _Writing(Source):
    """Statements that put the bytes of a value."""

    def value(self, schema: object, name: str) -> list[str]:
        """Lines, indented by one, for the value in the variable `name`."""
        kind, declared = self.resolved(schema)
        match kind:
            case "string":
                lines = [f" {name} = {name}.encode()", *self._sized(name)]
            case "bytes":
                lines = self._sized(name)
            case "int" | "long" | "double":
                lines = [f" put({kind}({name}))"]
            case "timestamp-millis":
                lines = [f" put(long(({name} - epoch) // millisecond))"]
            case "boolean":
                lines = [f" put(booleans[{name}])"]
            case "enum":
                symbols = enumerate(cast(list[str], declared["symbols"]))
                lines = [f" put({self.fresh({symbol: _varint(i) for i, symbol in symbols})}[{name}])"]
            case "array" | "map" | "record":
                inner = (
                    self._record(declared, name) if kind == "record" else self._blocks(kind, declared, name)
                )
                lines = [f" if {name}.__class__ is Encoded: put({name})", " else:", *indented(inner)]
            case "union":
                null, other = self.optional(declared)
                lines = [
                    f" if {name} is None: put({_varint(null)!r})",
                    " else:",
                    f"  put({_varint(1 - null)!r})",
                    *indented(self.value(other, name)),
                ]
            case _:
                raise self.unknown(kind)
        return lines

    def _record(self, declared: Mapping[str, object], name: str) -> list[str]:
        fields = fields_of(declared)
        names = self.fresh(frozenset(str(f["name"]) for f in fields))
        defaults = self.fresh({str(f["name"]): f["default"] for f in fields if "default" in f})
        lines = [f" if {name}.keys() != {names}: {name} = completed({name}, {names}, {defaults})"]
        for declared_field in fields:
            inner = self.fresh()
            lines += [
                f" {inner} = {name}[{declared_field['name']!r}]",
                *self.value(declared_field["type"], inner),
            ]
        return lines

    def _sized(self, name: str) -> list[str]:
        return [*self._size(name), f" put({name})"]

    def _size(self, name: str) -> list[str]:
        size = self.fresh()
        return [
            f" {size} = len({name})",
            f" put(sizes[{size}] if {size} < {len(_SIZES)} else long({size}))",
        ]

    def _blocks(self, kind: str, declared: Mapping[str, object], name: str) -> list[str]:
        key, item = self.fresh(), self.fresh()
        if kind == "array":
            head, inner = f"for {item} in {name}:", self.value(declared["items"], item)
        else:
            head = f"for {key}, {item} in {name}.items():"
            inner = [*self.value("string", key), *self.value(declared["values"], item)]
        return [
            f" if {name}:",
            *indented(self._size(name)),
            f"  {head}",
            *indented(indented(inner)),
            r' put(b"\0")',
        ]


def _varint(number: int) -> bytes:
    """A number of 64 bits as zigzag varint. Raises OverflowError, TypeError."""
    if not -_LONG <= number < _LONG:
        raise OverflowError("a number of more than 64 bits")
    left = (number << 1) ^ (number >> 63)
    out = b""
    while left > _TWO_BYTES:
        out += _MORE[left & _TWO_BYTES]
        left >>= 14
    return out + _LAST[left]


def _varint_32(number: int) -> bytes:
    if not -_INT <= number < _INT:
        raise OverflowError("a number of more than 32 bits")
    return _varint(number)


def _completed(
    value: Mapping[str, object], names: frozenset[str], defaults: Mapping[str, object]
) -> Mapping[str, object]:
    """A record's fields with defaults for those not given. Raises ValueError where others are given or missing."""
    whole = {**defaults, **value}
    if whole.keys() != names:
        raise ValueError("fields are unknown or missing")
    return whole


_SIZES = tuple(_varint(n) for n in range(1_024))
_HELPERS: Mapping[str, object] = {
    "Encoded": Encoded,
    "epoch": EPOCH,
    "millisecond": timedelta(milliseconds=1),
    "sizes": _SIZES,
    "booleans": {False: b"\0", True: b"\1"},
    "int": _varint_32,
    "long": _varint,
    "double": Struct("<d").pack,
    "completed": _completed,
}
