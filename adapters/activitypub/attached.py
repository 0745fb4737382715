"""Attachments as they go: what a local post shows → what its Note carries (federation §8.3)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from adapters.activitypub.shapes import Json
from adapters.media.files import media_type_of

CONTEXT: Final = {
    "toot": "http://joinmastodon.org/ns#",
    "blurhash": "toot:blurhash",
    "focalPoint": {"@container": "@list", "@id": "toot:focalPoint"},
}
"""The terms that `documents` uses beyond those of ActivityStreams."""


def documents(entities: Iterable[Mapping[str, Any]]) -> list[Json]:
    """A local post's MediaAttachments as Documents, which every peer reads (Pixelfed wants the media type)."""
    return [_document(entity) for entity in entities]


def _document(entity: Mapping[str, Any]) -> Json:
    meta: Mapping[str, Any] = entity["meta"]
    document: Json = {
        "type": "Document",
        "mediaType": media_type_of(entity["url"]) or "application/octet-stream",
        "url": entity["url"],
        "name": entity["description"],
    }
    if entity["blurhash"]:
        document["blurhash"] = entity["blurhash"]
    if "original" in meta:
        document |= {"width": meta["original"]["width"], "height": meta["original"]["height"]}
    if "focus" in meta:
        document["focalPoint"] = [meta["focus"]["x"], meta["focus"]["y"]]
    return document
