"""One's own account: what only its owner is told, and changing it (Mastodon documentation, methods/accounts).

What is edited is text as typed, and how posts are made by default: both are read where they are decided on, so an
editor is never shown something older, and no post goes out by a default that was changed before.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, patch
from msgspec import UNSET, UnsetType

from adapters.media.library import AVATAR_SIZE, HEADER_SIZE
from adapters.postgres.users import Role
from api.auth import TheViewer, Viewer, needs
from api.errors import NotFound, TooManyRequests
from api.limits import UploadLimit
from api.mastodon import entities
from api.mastodon.reading import current, json, up_to_now
from api.params_uploads import Upload, uploads
from api.server import Book, TheBook
from domain import account as profiles
from domain import preferences as preferring
from domain.account import EditProfile, Field, Profile
from domain.events import Refused
from domain.preferences import ChangePreferences, DefaultVisibility, Preferences
from domain.text import without_controls
from projections import accounts, follows, rendering
from projections.accounts import AccountRow

LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")

# Mastodon's role ids. Permissions are those of its admin API, which is not there yet.
_ROLES: dict[Role, tuple[str, str]] = {
    "user": ("-99", ""),
    "moderator": ("1", "Moderator"),
    "admin": ("2", "Admin"),
    "owner": ("3", "Owner"),
}


class FieldSent(msgspec.Struct, frozen=True):
    """One row of the profile's table, as typed."""

    name: str = ""
    value: str = ""


class SourceSent(msgspec.Struct, frozen=True):
    """How new posts are made by default."""

    privacy: DefaultVisibility | UnsetType = UNSET
    sensitive: bool | UnsetType = UNSET
    language: str | UnsetType = UNSET


class Credentials(msgspec.Struct, frozen=True):
    """What may be changed; what is not sent stays."""

    display_name: str | UnsetType = UNSET
    note: str | UnsetType = UNSET
    locked: bool | UnsetType = UNSET
    bot: bool | UnsetType = UNSET
    discoverable: bool | UnsetType = UNSET
    indexable: bool | UnsetType = UNSET
    hide_collections: bool | UnsetType = UNSET
    fields_attributes: list[FieldSent] | UnsetType = UNSET
    avatar: Upload | None = None
    header: Upload | None = None
    source: SourceSent = SourceSent()


@get("/api/v1/accounts/verify_credentials", opt=needs("profile", "read:accounts"))
async def verify_credentials(viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """The viewer's own account, with what only its owner is told."""
    headers = await current(server, viewer)
    return await _answer(server, viewer, await _profile(server, viewer), headers)


@patch("/api/v1/accounts/update_credentials", opt=needs("write:accounts"), status_code=200)
async def update_credentials(
    request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook, upload_limit: UploadLimit
) -> Response[bytes]:
    """Change the profile and how new posts are made; pictures are cut to the size that clients show them in.

    Raises Invalid with a sentence when one of them is no picture, and when something is too long: nothing is changed.
    """
    async with uploads(request, Credentials, server.media.files.room) as asked:
        kept: dict[str, str] = {}
        try:
            for name, upload, size in (("avatar", asked.avatar, AVATAR_SIZE), ("header", asked.header, HEADER_SIZE)):
                if upload is not None:
                    upload_limit.count(str(viewer.account), server.now())
                    kept[name] = await server.media.add_cut(upload.file, size)
            decided = await server.do(profiles, _edit(viewer, asked, kept), viewer.token)
        except (Refused, TooManyRequests):
            await asyncio.to_thread(server.media.files.remove, *(url.rpartition("/")[2] for url in kept.values()))
            raise
    wanted = ChangePreferences(
        account=viewer.account,
        visibility=asked.source.privacy,
        sensitive=asked.source.sensitive,
        language=UNSET if asked.source.language is UNSET else _language(asked.source.language),
    )
    await server.do(preferring, wanted, viewer.token)
    return await _answer(server, viewer, decided.after.profile, {})


@delete("/api/v1/profile/avatar", opt=needs("write:accounts"), status_code=200)
async def delete_avatar(viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Show no picture of one's own any more."""
    decided = await server.do(profiles, EditProfile(account=viewer.account, avatar=None), viewer.token)
    return await _answer(server, viewer, decided.after.profile, {})


@delete("/api/v1/profile/header", opt=needs("write:accounts"), status_code=200)
async def delete_header(viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Show no banner of one's own any more."""
    decided = await server.do(profiles, EditProfile(account=viewer.account, header=None), viewer.token)
    return await _answer(server, viewer, decided.after.profile, {})


@get("/api/v1/preferences", opt=needs("read:accounts"))
async def preferences(viewer: TheViewer, server: TheBook) -> dict[str, Any]:
    """How new posts are made by default; how posts are shown can't be changed yet (entities/Preferences)."""
    preferred = await preferences_of(server, viewer.account)
    return {
        "posting:default:visibility": preferred.visibility,
        "posting:default:sensitive": preferred.sensitive,
        "posting:default:language": preferred.language,
        "posting:default:quote_policy": "nobody",
        "reading:expand:media": "default",
        "reading:expand:spoilers": False,
        "reading:autoplay:gifs": False,
    }


async def preferences_of(server: Book, account: int) -> Preferences:
    """How somebody's posts are made by default, as of now."""
    return await server.state(preferring, ChangePreferences(account=account))


def _edit(viewer: Viewer, asked: Credentials, kept: Mapping[str, str]) -> EditProfile:
    fields: tuple[Field, ...] | UnsetType = UNSET
    if asked.fields_attributes is not UNSET:
        typed = [Field(_line(one.name), _line(one.value)) for one in asked.fields_attributes]
        fields = tuple(field for field in typed if field.name or field.value)
    return EditProfile(
        account=viewer.account,
        display_name=UNSET if asked.display_name is UNSET else _line(asked.display_name),
        note=UNSET if asked.note is UNSET else without_controls(asked.note).strip(),
        locked=asked.locked,
        bot=asked.bot,
        discoverable=asked.discoverable,
        indexable=asked.indexable,
        hide_collections=asked.hide_collections,
        fields=fields,
        avatar=kept.get("avatar", UNSET),
        header=kept.get("header", UNSET),
    )


def _line(typed: str) -> str:
    return " ".join(without_controls(typed).split())


def _language(typed: str) -> str | None:
    return typed if LANGUAGE.fullmatch(typed) else None


async def _profile(server: Book, viewer: Viewer) -> Profile:
    return (await server.state(profiles, EditProfile(account=viewer.account))).profile


async def _answer(server: Book, viewer: Viewer, profile: Profile, headers: Mapping[str, str]) -> Response[bytes]:
    """A CredentialAccount with this profile, and the rest as last read."""
    row = await _row(server, viewer)
    row = row._replace(profile=rendering.profile_json(profile, "Person", server.settings.origin), locked=profile.locked)
    user = await server.users.by_account(viewer.account)
    asked = await server.reads.view().row(follows.requests_to(viewer.account))
    source = _source(profile, await preferences_of(server, viewer.account), asked[0] if asked else 0)
    role = _role("user" if user is None else user.role)
    return json(f'{{{entities.account_inside(row)},"source":{_text(source)},"role":{_text(role)}}}', headers)


async def _row(server: Book, viewer: Viewer) -> AccountRow:
    view = server.reads.view()
    found = await view.row(accounts.account(viewer.account))
    if found is None:
        await up_to_now(server)
        found = await view.row(accounts.account(viewer.account))
    if found is None:
        raise NotFound
    return AccountRow._make(found)


def _source(profile: Profile, preferred: Preferences, requests: int) -> dict[str, Any]:
    """What the owner edits: text as typed, and the defaults of what they post."""
    return {
        "privacy": preferred.visibility,
        "sensitive": preferred.sensitive,
        "language": preferred.language,
        "note": profile.note,
        "fields": [{"name": field.name, "value": field.value, "verified_at": None} for field in profile.fields],
        "follow_requests_count": requests,
        "hide_collections": profile.hide_collections,
        "discoverable": profile.discoverable,
        "indexable": profile.indexable,
        "attribution_domains": [],
        "quote_policy": "nobody",
    }


def _role(role: Role) -> dict[str, Any]:
    number, name = _ROLES[role]
    return {"id": number, "name": name, "permissions": "0", "color": "", "highlighted": role != "user"}


def _text(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
