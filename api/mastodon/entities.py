"""Mastodon's entities, spliced from the JSON that the read models hold (docs.joinmastodon.org/entities).

What is stored is never decoded: around it go counters, the account, and what depends on who asks. Every key is always
there; null only where Mastodon 4.7 has null, never for a list or an object.
"""

from collections.abc import Iterable, Mapping
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
# What a boost says itself: nothing.
_BOOST_ALWAYS = (
    '"content":"","spoiler_text":"","sensitive":false,"language":null,"edited_at":null,"in_reply_to_id":null,'
    '"in_reply_to_account_id":null,"mentions":[],"tags":[],"emojis":[],"media_attachments":[],"card":null,"poll":null,'
    '"quote":null,"quotes_count":0,"replies_count":0,"reblogs_count":0,"favourites_count":0'
)
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
    return (
        f'{row.json},{revision},"reblog":null,"in_reply_to_id":{_id(row.in_reply_to)},'
        f'"in_reply_to_account_id":{_id(row.in_reply_to_account)},"replies_count":{row.replies},'
        f'"reblogs_count":{row.reblogs},"favourites_count":{row.favourites},'
        f'"mentions":[{row.mentions}],"account":{{{account_inside(row)}}},{_STATUS_ALWAYS}{_flags(row, viewer)}'
    )


def boost(row: StatusRow, post: StatusRow, viewer: int | None) -> str:
    """The Status that wraps a boosted post; the viewer's flags are those of the post, and a boost is never pinned."""
    flags = _flags(post._replace(account=0), viewer)
    return (
        f'{{{row.json},{_BOOST_ALWAYS},"reblog":{status(post, viewer)},"account":{{{account_inside(row)}}},'
        f"{_STATUS_ALWAYS}{flags}}}"
    )


def statuses(rows: Iterable[StatusRow], posts: Mapping[int, StatusRow], viewer: int | None) -> list[str]:
    """Statuses; what is boosted stands among `posts`, else the boost is left out."""
    shown: list[str] = []
    for row in rows:
        if row.reblog_of is None:
            shown.append(status(row, viewer))
        elif row.reblog_of in posts:
            shown.append(boost(row, posts[row.reblog_of], viewer))
    return shown


def _flags(row: StatusRow, viewer: int | None) -> str:
    """What the viewer has done with it; nothing for anybody. Only their own posts could be pinned."""
    if viewer is None:
        return ""
    pinned = ""
    if row.account == viewer and row.visibility != "direct":
        pinned = f',"pinned":{_boolean(row.pinned)}'
    return (
        f',"favourited":{_boolean(row.favourited)},"reblogged":{_boolean(row.reblogged)},'
        f'"muted":{_boolean(row.muted)},"bookmarked":{_boolean(row.bookmarked)},"filtered":[]{pinned}'
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


def _boolean(value: bool | None) -> str:
    return "true" if value else "false"
