"""GET /api/v1/instance and /api/v2/instance: what this server is and may be asked (Mastodon entities/Instance)."""

from typing import Any

from litestar import Response, get

from adapters.media.library import DESCRIPTION_CHARACTERS_MAX
from adapters.media.pictures import MEDIA_TYPES, PIXELS_MAX
from api.auth import PUBLIC
from api.params_uploads import FILE_BYTES_MAX
from api.server import TheServer
from domain.account import DISPLAY_NAME_MAX, FIELDS_MAX, NOTE_MAX
from domain.pin import PINS_MAX
from domain.post import ATTACHMENTS_MAX, CHARACTERS_MAX
from projections.usage import Usage

# Clients read this as a Mastodon version and call what that version had. 4.2 is the last whose clients expect neither
# grouped notifications nor anything else of `api_versions`: from 4.3 on they would call what is not here.
VERSION = "4.2.0 (compatible; Daybook 0.1.0)"
# 2 would promise /api/v2/notifications to Phanpy and the Android app.
API_VERSIONS = {"mastodon": 1}

DESCRIPTION = "A place in the Fediverse that keeps its history: everything that happens here is written down once."
CACHED = {"Cache-Control": "max-age=300, public, stale-while-revalidate=30", "Vary": "Origin"}
# Mastodon's own header on v1: deprecated since November 2022.
DEPRECATED = {"Deprecation": "@1668384000"}


@get("/api/v2/instance", opt=PUBLIC)
async def instance_v2(server: TheServer) -> Response[dict[str, Any]]:
    """The instance document that current clients read before they log in."""
    return Response(v2(server.settings.domain, server.settings.origin, await server.usage()), headers=CACHED)


@get("/api/v1/instance", opt=PUBLIC)
async def instance_v1(server: TheServer) -> Response[dict[str, Any]]:
    """The older shape, which toot, megalodon and Mastodon.py still need."""
    document = v1(server.settings.domain, server.settings.origin, await server.usage())
    return Response(document, headers={**CACHED, **DEPRECATED})


def v2(domain: str, origin: str, usage: Usage) -> dict[str, Any]:
    """Instance, version 2. No container is ever null: clients destructure them."""
    return {
        "domain": domain,
        "title": domain,
        "version": VERSION,
        "source_url": "",
        "description": DESCRIPTION,
        "usage": {"users": {"active_month": usage.active_month}},
        "thumbnail": {"url": f"{origin}/assets/thumbnail.png", "description": ""},
        "icon": [{"src": f"{origin}/assets/icon.png", "size": "192x192"}],
        "languages": ["en"],
        "configuration": _configuration(streaming=True),
        "registrations": {
            "enabled": False,
            "approval_required": False,
            "reason_required": None,
            "message": None,
            "min_age": None,
            "url": None,
        },
        "api_versions": API_VERSIONS,
        "contact": {"email": "", "account": None},
        "rules": [],
    }


def v1(domain: str, origin: str, usage: Usage) -> dict[str, Any]:
    """Instance, version 1; `uri` is the bare domain."""
    return {
        "uri": domain,
        "title": domain,
        "short_description": DESCRIPTION,
        "description": DESCRIPTION,
        "email": "",
        "version": VERSION,
        "urls": {"streaming_api": ""},
        "stats": {
            "user_count": usage.users,
            "status_count": usage.statuses,
            "domain_count": usage.domains,
        },
        "thumbnail": f"{origin}/assets/thumbnail.png",
        "languages": ["en"],
        "registrations": False,
        "approval_required": False,
        "invites_enabled": False,
        "configuration": _configuration(streaming=False),
        "contact_account": None,
        "rules": [],
    }


def _configuration(*, streaming: bool) -> dict[str, Any]:
    # Elk stores nothing unless `urls.streaming` can be read; empty, clients poll instead of connecting in vain.
    urls = {"streaming": "", "status": None, "about": None, "privacy_policy": None, "terms_of_service": None}
    return {
        **({"urls": urls, "vapid": {"public_key": ""}} if streaming else {}),
        "accounts": {
            "max_display_name_length": DISPLAY_NAME_MAX,
            "max_note_length": NOTE_MAX,
            "max_featured_tags": 0,
            "max_pinned_statuses": PINS_MAX,
            "max_profile_fields": FIELDS_MAX,
            "profile_field_name_limit": 255,
            "profile_field_value_limit": 255,
        },
        "statuses": {
            "max_characters": CHARACTERS_MAX,
            "max_media_attachments": ATTACHMENTS_MAX,
            "characters_reserved_per_url": 23,
        },
        "media_attachments": {
            "description_limit": DESCRIPTION_CHARACTERS_MAX,
            "supported_mime_types": MEDIA_TYPES,
            "image_size_limit": FILE_BYTES_MAX,
            "image_matrix_limit": PIXELS_MAX,
            # Films are not taken yet. Zero is what keeps clients from offering what is not there; so with polls.
            "video_size_limit": 0,
            "video_frame_rate_limit": 0,
            "video_matrix_limit": 0,
        },
        "polls": {
            "max_options": 0,
            "max_characters_per_option": 50,
            "min_expiration": 300,
            "max_expiration": 2_629_746,
        },
        "translation": {"enabled": False},
        "timelines_access": {
            "live_feeds": {"local": "public", "remote": "public"},
            "hashtag_feeds": {"local": "disabled", "remote": "disabled"},
            "trending_link_feeds": {"local": "disabled", "remote": "disabled"},
        },
        "limited_federation": False,
    }
