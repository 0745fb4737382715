"""Post: somebody publishes, edits, deletes. Its visibility never changes once it is out.

(A status in the client API, a Note on the wire.)
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, assert_never

import msgspec

from domain.events import Command, Event, NotFound, Refused

CHARACTERS_MAX = 5_000
MENTIONS_MAX = 64
ATTACHMENTS_MAX = 4
"""How many one of ours may have; what comes from elsewhere is capped where it comes in."""

Visibility = Literal["public", "unlisted", "private", "direct"]
AttachmentKind = Literal["image", "gifv", "video", "audio", "unknown"]


class Mention(msgspec.Struct, frozen=True):
    """Somebody named in a post: the actor's URI, and the handle and page as the author's server knew them."""

    uri: str
    username: str = ""
    acct: str = ""
    url: str = ""


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file shown with a post.

    `url` is the file's, `preview_url` that of something smaller to show first. A local one has `media`, its id, and
    its sizes in pixels; a remote one has `remote_url`, which is where its own server keeps it. `focus` is (x, y) from
    -1 to 1, y upwards.
    """

    url: str
    kind: AttachmentKind = "unknown"
    media_type: str = ""
    preview_url: str | None = None
    description: str | None = None
    blurhash: str | None = None
    width: int | None = None
    height: int | None = None
    preview_width: int | None = None
    preview_height: int | None = None
    focus: tuple[float, float] | None = None
    remote_url: str | None = None
    media: int | None = None


class PostPublished(Event, frozen=True, tag="post.published"):
    """A post as its author published it.

    Local posts carry `text` as typed, remote ones `html`, sanitised. `audience` holds the URIs of the actors it is
    addressed to, mentioned or not. `post`, `author` and `in_reply_to` are ids of local decisions; a remote post names
    its parent by `in_reply_to_uri`.
    """

    post: int
    author: int
    uri: str
    url: str
    visibility: Visibility
    published_at: datetime
    text: str | None = None
    html: str | None = None
    spoiler_text: str = ""
    sensitive: bool = False
    language: str | None = None
    in_reply_to: int | None = None
    in_reply_to_uri: str | None = None
    mentions: tuple[Mention, ...] = ()
    audience: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    edited_at: datetime | None = None
    attachments: tuple[Attachment, ...] = ()


class PostEdited(Event, frozen=True, tag="post.edited"):
    """What the post says from now on, whole. Addressing stays as published."""

    post: int
    author: int
    edited_at: datetime
    text: str | None = None
    html: str | None = None
    spoiler_text: str = ""
    sensitive: bool = False
    language: str | None = None
    mentions: tuple[Mention, ...] = ()
    tags: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class PostDeleted(Event, frozen=True, tag="post.deleted"):
    """The post is gone for everybody."""

    post: int
    author: int
    deleted_at: datetime | None = None


class PublishPost(Command, frozen=True):
    """Publish. `length` is counted at the edge (graphemes, links as 23: Mastodon's rule)."""

    post: int
    author: int
    uri: str
    url: str
    visibility: Visibility
    text: str
    length: int
    spoiler_text: str = ""
    sensitive: bool = False
    language: str | None = None
    in_reply_to: int | None = None
    in_reply_to_uri: str | None = None
    mentions: tuple[Mention, ...] = ()
    tags: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class EditPost(Command, frozen=True):
    """Say something else instead. `editor` is who asks."""

    post: int
    editor: int
    text: str
    length: int
    spoiler_text: str = ""
    sensitive: bool = False
    language: str | None = None
    mentions: tuple[Mention, ...] = ()
    tags: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class DeletePost(Command, frozen=True):
    """Take it back. `deleter` is who asks."""

    post: int
    deleter: int


PostEvent = PostPublished | PostEdited | PostDeleted
PostCommand = PublishPost | EditPost | DeletePost
Content = tuple[str | None, str, bool, str | None, tuple[Attachment, ...]]


class Post(msgspec.Struct, frozen=True):
    """What deciding needs: whose it is, whether it stands, what it says now."""

    author: int | None = None
    deleted: bool = False
    content: Content | None = None


INITIAL = Post()
TOUCHED_BY_REMOTE: bool = False


def stream(command: PostCommand) -> str:
    """One stream per post."""
    return f"post:{command.post}"


def decide(state: Post, command: PostCommand, now: datetime) -> Sequence[PostEvent]:
    """Raises Refused for a post that says nothing or too much, NotFound for a post that is not there or not theirs."""
    match command:
        case PublishPost():
            if state.author is not None:
                return []
            _check_text(command)
            return [_published(command, now)]
        case EditPost():
            _check_owner(state, command.editor)
            _check_text(command)
            if state.content == _content(command):
                return []
            return [_edited(command, now)]
        case DeletePost():
            if state.deleted and state.author == command.deleter:
                return []
            _check_owner(state, command.deleter)
            return [PostDeleted(post=command.post, author=command.deleter, deleted_at=now)]
        case _:
            assert_never(command)


def evolve(state: Post, event: PostEvent) -> Post:
    """Fold one event into the state."""
    match event:
        case PostPublished():
            return Post(author=event.author, content=_content(event))
        case PostEdited():
            return msgspec.structs.replace(state, content=_content(event))
        case PostDeleted():
            return msgspec.structs.replace(state, deleted=True, content=None)
        case _:
            assert_never(event)


def _content(said: PostPublished | PostEdited | EditPost) -> Content:
    return said.text, said.spoiler_text, said.sensitive, said.language, said.attachments


def _published(command: PublishPost, now: datetime) -> PostPublished:
    return PostPublished(
        post=command.post,
        author=command.author,
        uri=command.uri,
        url=command.url,
        visibility=command.visibility,
        published_at=now,
        text=command.text,
        spoiler_text=command.spoiler_text,
        sensitive=command.sensitive,
        language=command.language,
        in_reply_to=command.in_reply_to,
        in_reply_to_uri=command.in_reply_to_uri,
        mentions=command.mentions,
        audience=tuple(mention.uri for mention in command.mentions),
        tags=command.tags,
        attachments=command.attachments,
    )


def _edited(command: EditPost, now: datetime) -> PostEdited:
    return PostEdited(
        post=command.post,
        author=command.editor,
        edited_at=now,
        text=command.text,
        spoiler_text=command.spoiler_text,
        sensitive=command.sensitive,
        language=command.language,
        mentions=command.mentions,
        tags=command.tags,
        attachments=command.attachments,
    )


def _check_text(command: PublishPost | EditPost) -> None:
    if not command.text.strip() and not command.spoiler_text.strip() and not command.attachments:
        raise Refused("Text can't be blank")
    if command.length > CHARACTERS_MAX:
        raise Refused(f"Text character limit of {CHARACTERS_MAX} exceeded")
    if len(command.mentions) > MENTIONS_MAX:
        raise Refused(f"A post mentions at most {MENTIONS_MAX} accounts")
    if len(command.attachments) > ATTACHMENTS_MAX:
        raise Refused(f"A post has at most {ATTACHMENTS_MAX} attachments")


def _check_owner(state: Post, who: int) -> None:
    if state.author is None or state.author != who or state.deleted:
        raise NotFound("Record not found")
