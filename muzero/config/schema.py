"""What a constructor can be configured with: its keyword-only parameters, and what their annotations allow."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

Constructor = Callable[..., Any]

Arguments = Mapping[str, Any]
"""A table of free keys, which go to code outside the package: numbers, strings, true, false, arrays of these."""
NO_ARGUMENTS: Arguments = MappingProxyType({})

NONE = "none"  # TOML has no null
_INT_LIMIT = 2**63  # TOML's integers
_NUMBERS = {int: "an integer", float: "a number"}
_SCALARS = {bool: "true or false", int: "an integer of 64 bits", float: "a finite number", str: "a string in quotes"}


@dataclass(frozen=True)
class Range:
    """Inclusive bounds of a number: ``Annotated[int, Range(1, 10000)]``; None sets no bound."""

    low: float | None = None
    high: float | None = None

    def __contains__(self, value: float) -> bool:
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            bounds = [(" of at least ", self.low), (" of at most ", self.high)]
            return "".join(f"{text}{bound}" for text, bound in bounds if bound is not None)
        return f" from {self.low} to {self.high}"


class Parameter(NamedTuple):
    """A keyword-only parameter of a constructor."""

    annotation: Any
    default: Any
    expected: str  # in words: "an integer from 1 to 10000"


@cache
def parameters(constructor: Constructor) -> dict[str, Parameter]:
    """The configurable parameters of a class or function, in the order of its signature.

    Raises:
        TypeError: if a keyword-only parameter has no default, or a type that TOML cannot hold.
    """
    # A dataclass may inherit fields from another module, whose names its own __init__ cannot resolve.
    own_init = isinstance(constructor, type) and not is_dataclass(constructor)
    hints = get_type_hints(constructor.__init__ if own_init else constructor, include_extras=True)
    found = {}
    for name, parameter in inspect.signature(constructor).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        where = f"{constructor.__name__}({name})"
        if parameter.default is parameter.empty or name not in hints or name == "kind":
            raise TypeError(f"{where}: a configurable parameter needs a type, a default, and a name other than 'kind'")
        try:
            expected = _expected(hints[name])
            found[name] = Parameter(hints[name], convert(hints[name], parameter.default), expected)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{where}: default {parameter.default!r} of {hints[name]}: {error}") from error
    return found


def convert(annotation: Any, value: Any) -> Any:
    """The value as the annotated type: an integer as a float, an array as a tuple, "none" as None, where that fits.

    Raises:
        ValueError: if the value is of another type, out of range or not finite.
    """
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        converted = convert(arguments[0], value)
        if all(converted in bounds for bounds in arguments[1:] if isinstance(bounds, Range)):
            return converted
    elif origin in (Union, UnionType):
        return _convert_union(arguments, value)
    elif origin is Literal:
        if any(value == option and type(value) is type(option) for option in arguments):
            return value
    elif origin is tuple:
        if isinstance(value, list | tuple):
            members = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
            return tuple(convert(member, part) for member, part in zip(members, value, strict=True))
    elif annotation == Arguments:
        if isinstance(value, Mapping) and all(key.isidentifier() for key in value):
            return {key: _convert_argument(part) for key, part in value.items()}
    elif type(value) is int and annotation in (int, float):
        if -_INT_LIMIT <= value < _INT_LIMIT:
            return annotation(value)
    elif type(value) is annotation and not (annotation is float and not math.isfinite(value)):
        return value
    raise ValueError("does not fit")


def _convert_union(members: tuple[Any, ...], value: Any) -> Any:
    if NoneType in members and value in (None, NONE):
        return None
    for member in members:
        try:
            return convert(member, value)
        except ValueError:
            continue
    raise ValueError("fits no alternative")


def _convert_argument(value: Any) -> Any:
    """A value of a free table: what TOML can hold, without tables, dates and numbers that are not finite."""
    if isinstance(value, list | tuple):
        return tuple(_convert_argument(part) for part in value)
    if value in (None, NONE):
        return None
    if type(value) not in _SCALARS:
        raise ValueError("does not fit")
    return convert(type(value), value)


def _expected(annotation: Any) -> str:
    """A description of what `convert` accepts, for errors.

    Raises:
        TypeError: if `convert` does not support the annotation.
    """
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Annotated and arguments[0] in _NUMBERS:
        return _NUMBERS[arguments[0]] + "".join(str(bounds) for bounds in arguments[1:] if isinstance(bounds, Range))
    if origin in (Union, UnionType):
        words = [_expected(member) for member in arguments if member is not NoneType]
        return " or ".join([*words, f'"{NONE}"'] if NoneType in arguments else words)
    if origin is Literal and all(type(option) in (bool, int, str) for option in arguments):
        return ("one of " if len(arguments) > 1 else "") + ", ".join(map(written, arguments))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return f"an array, each part {_expected(arguments[0])}"
    if origin is tuple and arguments:
        return f"an array of {len(arguments)}: {', '.join(map(_expected, arguments))}"
    if annotation == Arguments:
        return "a table of numbers, strings, true or false, or arrays of those"
    if annotation not in _SCALARS:
        raise TypeError("not a type that a configuration can hold")
    return _SCALARS[annotation]


def choices(annotation: Any) -> list[str]:
    """The words that `convert` accepts; [] where any string is valid."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return [option for option in arguments if isinstance(option, str)]
    if get_origin(annotation) in (Union, UnionType):
        words = [word for member in arguments for word in choices(member)]
        return [*words, NONE] if NoneType in arguments else words
    return []


def written(value: Any) -> str:
    """A value in TOML, which reads back as the same value."""
    if value is None:
        return f'"{NONE}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # TOML has the escapes of JSON, except for one character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(assignments(value))}}}"
    return repr(value)


def assignments(table: Mapping[str, Any]) -> list[str]:
    """The lines `key = value` of a table; reading them gives the same keys and values."""
    return [f"{key if key.isascii() else written(key)} = {written(value)}" for key, value in table.items()]
