"""Frozen values as JSON and back, by their types: what a version was must be read again as exactly that.

Knows dataclasses, named tuples, mappings, tuples, frozen sets, enums, bytes, and JSON's own. A float keeps every bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from math import isfinite
from types import NoneType, UnionType
from typing import TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pipeline.errors import ConfigurationError

_T = TypeVar("_T")
_PLAIN = (str, int, float, bool, NoneType)


def freeze(value: object) -> object:
    """The value as JSON has it. TypeError for what cannot be read again."""
    frozen: object
    if isinstance(value, Enum):
        frozen = value.value
    elif isinstance(value, _PLAIN) and not (isinstance(value, float) and not isfinite(value)):
        frozen = value
    elif isinstance(value, bytes):
        frozen = value.hex()
    elif members := _members(type(value)):
        frozen = {name: freeze(getattr(value, name)) for name in members}
    elif isinstance(value, Mapping):
        frozen = {_key(k): freeze(v) for k, v in value.items()}
    elif isinstance(value, frozenset | tuple):
        frozen = [freeze(v) for v in (sorted(value) if isinstance(value, frozenset) else value)]
    else:
        raise TypeError(f"a {type(value).__name__} ({value!r}) cannot be stored")
    return frozen


def _key(key: object) -> str:
    frozen = freeze(key)
    if isinstance(frozen, str | int):
        return str(frozen)
    raise TypeError(f"a {type(key).__name__} cannot be the key of what is stored")


def _members(kind: type) -> Mapping[str, bool]:
    """The members of a dataclass or named tuple that it is made of, and whether they may be left out."""
    if is_dataclass(kind):
        return {
            f.name: f.default is not MISSING or f.default_factory is not MISSING
            for f in fields(kind)
            if f.init
        }
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        defaults: Mapping[str, object] = getattr(kind, "_field_defaults", {})
        return {name: name in defaults for name in kind._fields}
    return {}


def thaw(kind: type[_T], data: object, at: str = "") -> _T:
    """The value of that type that `freeze` made the data of.

    A member that came later than the data has its default. Raises ConfigurationError, which names the place, for a
    member without one, for one that this version of the program does not know (what it meant cannot be honoured),
    and for data of another shape.
    """
    return cast(_T, _thaw(kind, data, at))


def _thaw(kind: object, data: object, at: str) -> object:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        chosen = [a for a in arguments if a is not NoneType]
        return None if data is None else _thaw(chosen[0], data, at)
    if origin is not None:
        return _thaw_generic(origin, arguments, data, at)
    if not isinstance(kind, type):
        raise TypeError(f"{kind} cannot be read from what is stored")
    if _members(kind):
        return _thaw_members(kind, data, at)
    return _thaw_plain(kind, data, at)


def _thaw_generic(origin: type, arguments: Sequence[object], data: object, at: str) -> object:
    if issubclass(origin, Mapping) and isinstance(data, dict):
        key, value = arguments
        return {_thaw_key(key, k, at): _thaw(value, v, f"{at}.{k}") for k, v in data.items()}
    if issubclass(origin, tuple | frozenset) and isinstance(data, list):
        fixed = issubclass(origin, tuple) and Ellipsis not in arguments
        kinds = arguments if fixed else [arguments[0]] * len(data)
        if len(kinds) == len(data):
            return origin(_thaw(k, v, f"{at}[{n}]") for n, (k, v) in enumerate(zip(kinds, data, strict=True)))
    raise _misfit(at, origin.__name__, data)


def _thaw_key(kind: object, key: str, at: str) -> object:
    numeric = isinstance(kind, type) and issubclass(kind, int)
    return _thaw(kind, int(key) if numeric and key.lstrip("-").isdigit() else key, at)


def _thaw_members(kind: type, data: object, at: str) -> object:
    if not isinstance(data, dict):
        raise _misfit(at, kind.__name__, data)
    members = _members(kind)
    if unknown := sorted(data.keys() - members):
        raise ConfigurationError(f"{at}: this version of the program knows no {', '.join(unknown)}")
    if missing := [name for name, optional in members.items() if not optional and name not in data]:
        raise ConfigurationError(f"{at}: it was stored without {', '.join(missing)}")
    hints = get_type_hints(kind)
    return kind(**{name: _thaw(hints[name], value, f"{at}.{name}") for name, value in data.items()})


def _thaw_plain(kind: type, data: object, at: str) -> object:
    try:
        if issubclass(kind, Enum):
            return kind(data)
        if issubclass(kind, bytes) and isinstance(data, str):
            return kind(bytes.fromhex(data))
    except ValueError as exc:
        raise _misfit(at, kind.__name__, data) from exc
    if kind is float and type(data) in (int, float):
        return float(cast(float, data))
    if kind in _PLAIN and type(data) is kind:
        return data
    raise _misfit(at, kind.__name__, data)


def _misfit(at: str, wanted: str, data: object) -> ConfigurationError:
    return ConfigurationError(f"{at}: {type(data).__name__} where {wanted} was stored once")
