"""From flat names with brackets to a tree, by Rails' rules: `a[b]=1`, `a[]=1&a[]=2`, `a[][b]=1&a[][c]=2`, `a[0]=1`.

Pure. Numbered names stay dicts with decimal keys here; `params_shape` turns them into lists where the field is one,
so `a[999999999]=x` costs one entry, not a billion.
"""

import re
from typing import Any, cast

from api.errors import BadRequest

Pairs = list[tuple[str, str]]
Tree = dict[str, Any]

PAIRS_MAX = 2_000
NAME_CHARACTERS_MAX = 512
DEPTH_MAX = 8

_SUBKEY = re.compile(r"\[([^\[\]]*)\]")


def tree(pairs: Pairs) -> Tree:
    """One tree from many pairs; a plain name given twice keeps its last value.

    Raises BadRequest when one name is used as two kinds of thing (`a=1&a[b]=2`), or is nested too deeply.
    """
    if len(pairs) > PAIRS_MAX:
        raise BadRequest("Too many parameters")
    root: Tree = {}
    for name, value in pairs:
        # No parameter of ours is so long, and unknown ones are ignored.
        if len(name) <= NAME_CHARACTERS_MAX:
            _put(root, _path(without_nul(name)), without_nul(value))
    return root


def cleaned(value: Tree) -> Tree:
    """A decoded JSON object without NUL characters. Raises BadRequest when it is nested too deeply."""
    return cast("Tree", _cleaned(value, 0))


def without_nul(text: str) -> str:
    """`text` without NUL, which PostgreSQL can't store and nobody means."""
    return text.replace("\x00", "") if "\x00" in text else text


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return without_nul(value)
    if depth > DEPTH_MAX:
        raise BadRequest("The parameters are nested too deeply")
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {without_nul(key): _cleaned(inner, depth + 1) for key, inner in items}
    if isinstance(value, list):
        return [_cleaned(inner, depth + 1) for inner in cast("list[Any]", value)]
    return value


def _path(name: str) -> list[str]:
    """`a[b][]` as ["a", "b", ""]; what is not well-formed brackets is a plain name."""
    head, bracket, rest = name.partition("[")
    if not bracket or not head:
        return [name]
    keys = _SUBKEY.findall("[" + rest)
    if "".join(f"[{key}]" for key in keys) != "[" + rest:
        return [name]
    if len(keys) >= DEPTH_MAX:
        raise BadRequest("The parameters are nested too deeply")
    return [head, *keys]


def _put(root: Tree, path: list[str], value: str) -> None:
    node = root
    head, *keys = path
    while keys:
        if keys[0] != "":
            node, head, keys = _hash_in(node, head), keys[0], keys[1:]
            continue
        items = _list_in(node, head)
        if len(keys) == 1:
            items.append(value)
            return
        # `a[][b]=1&a[][c]=2&a[][b]=3`: a key that the last element has already begins the next element.
        node, head, keys = _element(items, keys[1], last=len(keys) == 2), keys[1], keys[2:]  # noqa: PLR2004 (pair)
    if isinstance(node.get(head), dict | list):
        raise BadRequest(f"Invalid parameter: {head} is given as two kinds of value")
    node[head] = value


def _hash_in(node: Tree, key: str) -> Tree:
    inner = node.setdefault(key, {})
    if not isinstance(inner, dict):
        raise BadRequest(f"Invalid parameter: {key} is given as two kinds of value")
    return cast("Tree", inner)


def _list_in(node: Tree, key: str) -> list[Any]:
    inner = node.setdefault(key, [])
    if not isinstance(inner, list):
        raise BadRequest(f"Invalid parameter: {key} is given as two kinds of value")
    return cast("list[Any]", inner)


def _element(items: list[Any], key: str, *, last: bool) -> Tree:
    newest = items[-1] if items else None
    if isinstance(newest, dict) and not (last and key in newest):
        return cast("Tree", newest)
    fresh: Tree = {}
    items.append(fresh)
    return fresh
