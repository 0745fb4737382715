"""From what a client sends to a command, and from what was decided to the status that the client gets.

The answer is made of the very events that were appended, rendered by the functions that the projection uses, and of
the read models as they were just before: it waits for nobody (docs: "you read what you wrote").
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from adapters.activitypub.fitting import SAID_BYTES_MAX, said_bytes
from adapters.text import length
from adapters.unavailable import Unavailable
from api.auth import Viewer
from api.errors import Invalid, NotFound, Unprocessable
from api.mastodon.accounts import acct_of
from api.mastodon.attaching import MediaAttributes
from api.mastodon.credentials import LANGUAGE, preferences_of
from api.mastodon.meeting import met
from api.mastodon.reading import current, id_in, up_to_now
from api.mastodon.seen import one
from api.server import Book
from domain.post import (
    CHARACTERS_MAX,
    Attachment,
    EditPost,
    Mention,
    PostEdited,
    PostPublished,
    PublishPost,
    Visibility,
)
from domain.text import hashtags_in, mentions_in, without_controls
from projections import accounts, rendering
from projections.accounts import AccountRow
from projections.status_queries import StatusRow
from projections.touched import account

# Past this nothing is counted: counting graphemes takes time, and no text so long has few of them.
TYPED_CHARACTERS_MAX = 20 * CHARACTERS_MAX
_AUTHOR = msgspec.msgpack.Decoder(AccountRow)
_NO_PARENT = "The post you are trying to reply to does not appear to exist"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What POST and PUT /api/v1/statuses take. The last three are refused: what they ask for is not there yet."""

    status: str = ""
    spoiler_text: str = ""
    sensitive: bool | UnsetType = UNSET
    visibility: Visibility | None = None
    language: str | None = None
    in_reply_to_id: str | None = None
    media_ids: list[str] = []
    media_attributes: list[MediaAttributes] = []
    poll: Any = None
    scheduled_at: str | None = None
    quoted_status_id: str | None = None


class Said(NamedTuple):
    """What a draft says, ready to be decided on; `named` are the accounts that it mentions, in order."""

    text: str
    spoiler_text: str
    sensitive: bool
    language: str | None
    length: int
    mentions: tuple[Mention, ...]
    tags: tuple[str, ...]
    named: tuple[AccountRow, ...]
    author: AccountRow


class Parent(NamedTuple):
    """What a reply answers."""

    id: int
    account: int
    uri: str


def refuse_what_is_missing(draft: Draft) -> None:
    """Raises Unprocessable for what clients may ask for and this server can't do yet, rather than leaving it out."""
    if draft.poll not in (None, "", [], {}):
        raise Unprocessable("Polls can't be made on this server yet")
    if draft.scheduled_at is not None:
        raise Unprocessable("Posts can't be scheduled on this server yet")
    if draft.quoted_status_id is not None:
        raise Unprocessable("Posts can't be quoted on this server yet")


async def filled(draft: Draft, viewer: Viewer, server: Book) -> Draft:
    """The draft with what it leaves out as its author prefers it."""
    if draft.visibility is not None and draft.sensitive is not UNSET and draft.language is not None:
        return draft
    preferred = await preferences_of(server, viewer.account)
    return msgspec.structs.replace(
        draft,
        visibility=draft.visibility or preferred.visibility,
        sensitive=preferred.sensitive if draft.sensitive is UNSET else draft.sensitive,
        language=preferred.language if draft.language is None else draft.language,
    )


async def said(draft: Draft, viewer: Viewer, server: Book) -> Said:
    """Work out what the draft says.

    Raises Invalid when it is far too long, or more than other servers take; Unavailable while its author can't be read.
    """
    text, spoiler_text = without_controls(draft.status).strip(), without_controls(draft.spoiler_text).strip()
    if not text:
        text, spoiler_text = spoiler_text, ""
    if len(text) + len(spoiler_text) > TYPED_CHARACTERS_MAX:
        raise Invalid(f"Text character limit of {CHARACTERS_MAX} exceeded")
    language = draft.language
    names = {name: acct_of(name, server.settings.domain).lower() for name in mentions_in(text)}
    author, rows = await _author_and_named(viewer.account, set(names.values()), server)
    by_acct = dict(_by_acct(rows))
    by_acct |= await met(set(names.values()) - by_acct.keys(), server)
    mentioned = {name: by_acct[acct] for name, acct in names.items() if acct in by_acct}
    # The handle as written, so that it is found again in the text.
    mentions = tuple(Mention(row.uri, row.username, name, row.url) for name, row in mentioned.items())
    tags = tuple(hashtags_in(text))
    _refuse_what_can_not_be_sent(text, spoiler_text, mentions, tags, server.settings.origin)
    return Said(
        text=text,
        spoiler_text=spoiler_text,
        sensitive=draft.sensitive is True,
        language=language if language is not None and LANGUAGE.fullmatch(language) else None,
        length=length(text, spoiler_text),
        mentions=mentions,
        tags=tags,
        named=tuple({row.id: row for row in mentioned.values()}.values()),
        author=author,
    )


async def parent_of(draft: Draft, viewer: Viewer, server: Book) -> Parent | None:
    """What the draft answers. Raises NotFound unless the viewer can see it, waiting only for what they wrote last."""
    if draft.in_reply_to_id is None:
        return None
    view, number = server.reads.view(), id_in(draft.in_reply_to_id)
    found = await one(view, viewer, number)
    if found is None:
        await current(server, viewer)
        found = await one(view, viewer, number)
    if found is not None and found.row.reblog_of is not None:
        found = await one(view, viewer, found.row.reblog_of)
    if found is None:
        raise NotFound(_NO_PARENT)
    return Parent(found.row.id, found.row.account, found.uri)


def publication(
    number: int, words: Said, draft: Draft, parent: Parent | None, attachments: tuple[Attachment, ...], origin: str
) -> PublishPost:
    """The command that publishes this under that id."""
    return PublishPost(
        post=number,
        author=words.author.id,
        uri=f"{words.author.uri}/statuses/{number}",
        url=f"{origin}/@{words.author.username}/{number}",
        visibility=draft.visibility or "public",
        text=words.text,
        length=words.length,
        spoiler_text=words.spoiler_text,
        sensitive=words.sensitive,
        language=words.language,
        in_reply_to=None if parent is None else parent.id,
        in_reply_to_uri=None if parent is None else parent.uri,
        mentions=words.mentions,
        tags=words.tags,
        attachments=attachments,
    )


def edition(number: int, words: Said, language: str | None, attachments: tuple[Attachment, ...]) -> EditPost:
    """The command that says this instead; a draft that names no language leaves it as it is."""
    return EditPost(
        post=number,
        editor=words.author.id,
        text=words.text,
        length=words.length,
        spoiler_text=words.spoiler_text,
        sensitive=words.sensitive,
        language=words.language or language,
        mentions=words.mentions,
        tags=words.tags,
        attachments=attachments,
    )


def published(event: PostPublished, words: Said, parent: Parent | None, origin: str) -> StatusRow:
    """The row that the projection will hold, and its author's counters with this post in them."""
    author, counts = words.author, event.visibility != "direct"
    today = event.published_at.date()
    return StatusRow(
        id=event.post,
        account=event.author,
        visibility=event.visibility,
        json=rendering.status_json(event),
        revision=rendering.revision_json(event, origin),
        mentions=_mentions(words),
        in_reply_to=None if parent is None else parent.id,
        in_reply_to_account=None if parent is None else parent.account,
        replies=0,
        identity=author.identity,
        profile=author.profile,
        followers=author.followers,
        following=author.following,
        statuses=author.statuses + counts,
        last_status_at=max(author.last_status_at or today, today) if counts else author.last_status_at,
    )


def edited(row: StatusRow, event: PostEdited, words: Said, origin: str) -> StatusRow:
    """The row after an edit."""
    return row._replace(revision=rendering.revision_json(event, origin), mentions=_mentions(words))


def _mentions(words: Said) -> str:
    return ",".join(row.mention for row in words.named)


async def _author_and_named(author: int, accts: set[str], server: Book) -> tuple[AccountRow, list[AccountRow]]:
    """The author, and everybody of these handles (the author too). Raises Unavailable.

    The author alone is kept like a page: until something touches that account, as the next post does once it can be
    read.
    """
    kept = None if accts else server.pages.find(("author", author))
    if kept is not None:
        return _AUTHOR.decode(kept.body), []
    for attempt in range(2):
        made = server.pages.begin()
        found = await server.reads.view().rows(accounts.author_and_named(author, list(accts)))
        rows = [AccountRow._make(row) for row in found]
        for row in rows:
            if row.id == author:
                made.all_of(account(author))
                server.pages.keep(("author", author), made, (), msgspec.msgpack.encode(row))
                return row, rows
        if attempt == 0:
            await up_to_now(server)
    raise Unavailable("Whoever this is, they have no account")


def _refuse_what_can_not_be_sent(
    text: str, spoiler_text: str, mentions: tuple[Mention, ...], tags: tuple[str, ...], origin: str
) -> None:
    html = rendering.text_html(text, mentions, origin)
    if said_bytes(html, spoiler_text, mentions, tags, origin) > SAID_BYTES_MAX:
        raise Invalid("Text with so many links, hashtags and mentions is too large for other servers")


def _by_acct(rows: list[AccountRow]) -> Mapping[str, AccountRow]:
    """By handle in lower case; of two that differ in case alone, the one known for longer."""
    found: dict[str, AccountRow] = {}
    for row in rows:
        acct = row.username if row.domain is None else f"{row.username}@{row.domain}"
        found.setdefault(acct.lower(), row)
    return found
