"""From a tree of what was sent to a typed Struct, as leniently as clients need and no more.

Booleans are Rails' (`0 f F false FALSE off OFF` and the empty string are false, all else is true), integers may be
strings, the empty string is null where null is allowed, a bare scalar is a list of one, and `{"0": a, "1": b}` is a
list. What a Struct does not name is dropped. msgspec then validates types and constraints.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from api.errors import Invalid, MissingParameter
from api.params_tree import Tree

FALSE = frozenset(("0", "f", "F", "false", "FALSE", "off", "OFF", ""))
INTEGER_DIGITS_MAX = 19

Shaper = Callable[[Any], Any]
T = TypeVar("T", bound=msgspec.Struct)


def shaped(sent: Tree, into: type[T]) -> T:
    """`sent` as an `into`. Raises MissingParameter and Invalid."""
    values = _struct_shaper(into)(sent)
    try:
        return msgspec.convert(values, into, strict=True, str_keys=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Invalid(_readable(str(error))) from error


@cache
def _struct_shaper(kind: type[msgspec.Struct]) -> Shaper:
    about = inspect.type_info(kind)
    assert isinstance(about, inspect.StructType)
    fields = [(field, _shaper(field.type)) for field in about.fields]

    def shape(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        given = cast("Tree", value)
        shaped_fields: Tree = {}
        for field, shape_field in fields:
            name = field.encode_name
            item = given.get(name)
            if field.required and item in (None, "", []) and not _nullable(field.type):
                raise MissingParameter(name)
            if name in given and (result := shape_field(item)) is not msgspec.UNSET:
                shaped_fields[name] = result
        return shaped_fields

    return shape


def _shaper(about: inspect.Type) -> Shaper:  # noqa: PLR0911 (one line per kind of type)
    match about:
        case inspect.Metadata(type=inner):
            return _shaper(inner)
        case inspect.UnionType():
            return _union_shaper(about)
        case inspect.StructType(cls=kind):
            return _struct_shaper(kind)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _list_shaper(_shaper(item))
        case inspect.BoolType():
            return _boolean
        case inspect.IntType():
            return _integer
        case inspect.FloatType():
            return _number
        case inspect.StrType():
            return _string
        case _:
            return _as_it_is


def _union_shaper(about: inspect.UnionType) -> Shaper:
    """Shapes by the first member that is not None; blank is null where null is a member."""
    inner = next(kind for kind in about.types if not isinstance(kind, inspect.NoneType))
    shape, nullable = _shaper(inner), about.includes_none

    def shape_union(value: Any) -> Any:
        return None if nullable and value in (None, "") else shape(value)

    return shape_union


def _list_shaper(shape_item: Shaper) -> Shaper:
    def shape(value: Any) -> Any:
        if value is None or value == "":
            return []
        if isinstance(value, dict):
            numbered = cast("Tree", value)
            if all(key.isdecimal() for key in numbered):
                # By length, then by digits, orders decimals of any size without making integers of them.
                keys = sorted(numbered, key=lambda key: (len(key), key))
                value = [numbered[key] for key in keys]
            else:
                value = [numbered]
        elif not isinstance(value, list):
            value = [value]
        return [shape_item(item) for item in cast("list[Any]", value)]

    return shape


def _boolean(value: Any) -> Any:
    if value is None:
        return msgspec.UNSET
    if isinstance(value, str):
        return value not in FALSE
    return bool(value) if isinstance(value, int | float) else value


def _integer(value: Any) -> Any:
    if value is None or value == "":
        return msgspec.UNSET
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-").removeprefix("+")
        if digits.isascii() and digits.isdecimal() and len(digits) <= INTEGER_DIGITS_MAX:
            return int(text)
    return value


def _number(value: Any) -> Any:
    if value is None or value == "":
        return msgspec.UNSET
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        # Neither NaN nor an infinity is a quantity that anyone means.
        return number if number - number == 0 else value
    return value


def _string(value: Any) -> Any:
    if value is None:
        return msgspec.UNSET
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 10**INTEGER_DIGITS_MAX:
        return str(value)
    return value


def _as_it_is(value: Any) -> Any:
    return value


def _nullable(about: inspect.Type) -> bool:
    return isinstance(about, inspect.UnionType) and about.includes_none


def _readable(problem: str) -> str:
    """msgspec's ``Expected `int`, got `str` - at `$.limit` `` as `limit: expected int, got str`."""
    what, _, where = problem.replace("`", "").partition(" - at ")
    field = where.removeprefix("$.") or "parameters"
    return f"{field}: {what[:1].lower()}{what[1:]}"
