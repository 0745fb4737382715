"""A received activity after the checks that hold for every one, and what the translators of each kind share.

Who must be whom and which origins must agree: federation §10 point 8, security B4.
"""

from typing import Any, Final

import msgspec

from adapters.activitypub.json_guard import JsonRefused, decode_json_object
from adapters.activitypub.notes import Delivery
from adapters.activitypub.shapes import Json, as_object, many, reference, too_long, type_of
from adapters.activitypub.unfit import Unfit
from adapters.activitypub.urls import origin_of
from adapters.interpreter.claims import not_understood, refused

Parts = dict[str, Any]
"""The fields of a claim that a translator fills in."""
LIKE_TYPES: Final = frozenset({"Like", "EmojiReact"})
"""Reactions are taken for likes; so is a Like with content (FEP-c0e0)."""


class Activity(msgspec.Struct, frozen=True):
    """An activity whose signer is its actor; `own` is the origin of this instance.

    `name` is by what it may be undone: its id, or what stands for one and is the same whenever the same bytes come.
    """

    body: Json
    actor: str
    origin: str
    name: str
    type: str
    delivery: Delivery
    own: str | None

    def is_ours(self, uri: str) -> bool:
        """Whether it is of this instance's origin."""
        return origin_of(uri) == self.own


class Inner(msgspec.Struct, frozen=True):
    """The activity that is answered or undone, as far as it is given; `type` is empty when it is not."""

    type: str
    id: str | None
    actor: str | None
    object: str | None


def decoded(raw: bytes) -> Json:
    """The JSON object. Raises Unfit."""
    try:
        return decode_json_object(raw)
    except JsonRefused as problem:
        raise Unfit(refused(problem.reason)) from None


def check_id(uri: object, origin: str, what: str) -> None:
    """Raises Unfit unless it is an id of that origin."""
    if not isinstance(uri, str):
        raise Unfit(refused(f"{what} is no string"))
    if too_long(uri):
        raise Unfit(refused(f"{what} too long"))
    if origin_of(uri) != origin:
        raise Unfit(refused(f"{what} of another origin"))


def object_id(activity: Activity) -> str:
    """What the activity acts on. Raises Unfit when that is nothing, too long or the activity itself."""
    uri = reference(activity.body.get("object"))
    if uri is None:
        raise Unfit(refused("no object"))
    if too_long(uri):
        raise Unfit(refused("object id too long"))
    if uri == activity.name:
        raise Unfit(refused("refers to itself"))
    return uri


def single_object(activity: Activity, types: frozenset[str]) -> str:
    """What it acts on, when that is one thing with an address, and of these types if it is embedded. Raises Unfit."""
    members = many(activity.body.get("object"))
    if len(members) > 1:
        raise Unfit(not_understood(f"{activity.type} of several objects"))
    embedded = as_object(members)
    kind = type_of(embedded, types) if embedded is not None else ""
    if kind and kind not in types:
        raise Unfit(not_understood(f"{activity.type} of {kind}"))
    uri = object_id(activity)
    if origin_of(uri) is None:
        raise Unfit(refused("object id is no usable address"))
    return uri


def inner_of(activity: Activity, types: frozenset[str]) -> Inner:
    """What is answered or undone: embedded and of these types, or only named. Raises Unfit."""
    inner = as_object(activity.body.get("object"))
    if inner is None:
        return Inner("", object_id(activity), None, None)
    kind = type_of(inner, types)
    if kind and kind not in types:
        raise Unfit(not_understood(f"{activity.type} of {kind}"))
    found = reference(inner), reference(inner.get("actor")), reference(inner.get("object"))
    if any(uri is not None and too_long(uri) for uri in found):
        raise Unfit(refused("inner id too long"))
    return Inner(kind, *found)
