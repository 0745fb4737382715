"""Mastodon's entities, spliced from the JSON that the read models hold (docs.joinmastodon.org/entities).

What is stored is never decoded: around it go counters, the account, and what depends on who asks. Every key is always
there; null only where Mastodon 4.7 has null, never for a list or an object.
"""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from projections.relations import RelationRow
from projections.rendering import api_time
from projections.status_queries import StatusRow

# What nothing here can change yet.
_ACCOUNT_ALWAYS = (
    '"show_media":true,"show_media_replies":true,"show_featured":true,'
    '"feature_approval":{"automatic":[],"manual":[],"current_user":"denied"}'
)
_STATUS_ALWAYS = (
    '"application":null,"tagged_collections":[],"quote_approval":{"automatic":[],"manual":[],"current_user":"denied"}'
)
_FLAGS = ',"favourited":false,"reblogged":false,"muted":false,"bookmarked":false,"filtered":[]'
_RELATIONSHIP_ALWAYS = '"domain_blocking":false,"endorsed":false,"note":""'

_RELATION_FLAGS = (
    *("following", "showing_reblogs", "notifying", "followed_by", "blocking", "blocked_by", "muting"),
    *("muting_notifications", "requested", "requested_by"),
)


class Described(Protocol):
    """What an Account is made of: an AccountRow, or a StatusRow for its author."""

    @property
    def identity(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def followers(self) -> int: ...
    @property
    def following(self) -> int: ...
    @property
    def statuses(self) -> int: ...
    @property
    def last_status_at(self) -> date | None: ...


def account(row: Described, moved: str | None = None) -> str:
    """An Account; `moved` is the one that it has moved to."""
    return "{" + account_inside(row) + (f',"moved":{moved}' if moved else "") + "}"


def account_inside(row: Described) -> str:
    """An Account without its braces, for what has more keys than that."""
    day = row.last_status_at
    last = "null" if day is None else f'"{day.isoformat()}"'
    return (
        f'{row.identity},{row.profile},"followers_count":{row.followers},"following_count":{row.following},'
        f'"statuses_count":{row.statuses},"last_status_at":{last},{_ACCOUNT_ALWAYS}'
    )


def status(row: StatusRow, viewer: int | None) -> str:
    """A Status as this viewer gets it; None is anybody."""
    return "{" + status_inside(row, row.revision, viewer) + "}"


def status_inside(row: StatusRow, revision: str, viewer: int | None) -> str:
    """A Status without its braces, saying `revision`."""
    flags = ""
    if viewer is not None:
        own = row.account == viewer and row.visibility != "direct"
        flags = _FLAGS + ',"pinned":false' if own else _FLAGS
    return (
        f'{row.json},{revision},"in_reply_to_id":{_id(row.in_reply_to)},'
        f'"in_reply_to_account_id":{_id(row.in_reply_to_account)},"replies_count":{row.replies},'
        f'"mentions":[{row.mentions}],"account":{{{account_inside(row)}}},{_STATUS_ALWAYS}{flags}'
    )


def relationship(row: RelationRow) -> str:
    """A Relationship: always every key."""
    flags = ",".join(f'"{name}":{_boolean(getattr(row, name))}' for name in _RELATION_FLAGS)
    expires_at = "null" if row.muting_expires_at is None else f'"{api_time(row.muting_expires_at)}"'
    return (
        f'{{"id":"{row.account}",{flags},"languages":{row.languages or "null"},"muting_expires_at":{expires_at},'
        f"{_RELATIONSHIP_ALWAYS}}}"
    )


def array(entities: Iterable[str]) -> bytes:
    """A JSON list of these."""
    return f"[{','.join(entities)}]".encode()


def _id(number: int | None) -> str:
    return "null" if number is None else f'"{number}"'


def _boolean(value: bool) -> str:
    return "true" if value else "false"
