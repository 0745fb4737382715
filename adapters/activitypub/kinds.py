"""What is no Note, as the Note that it comes to: a title, what it says, and the way to its page (federation §8.1).

It is composed of what a stranger wrote, and cleaned afterwards as any Note is.
"""

from html import escape
from typing import Final

from adapters.activitypub.shapes import (
    PUBLIC,
    Json,
    in_language_map,
    many,
    objects,
    page_of,
    reference,
    references,
    text,
    type_of,
)
from adapters.html import clean_url, plain_text

_TITLED: Final = frozenset({"Article", "Page", "Image", "Video", "Audio", "Event"})
POST_TYPES: Final = frozenset({"Note", "Question", "ChatMessage"}) | _TITLED
TITLE_MAX: Final = 500
OPTIONS_MAX: Final = 20
OPTION_MAX: Final = 200
_PLAIN: Final = frozenset({"text/markdown", "text/plain"})


def as_note(found: Json, kind: str) -> Json:
    """`found`, of one of POST_TYPES, with the members that a Note has."""
    if kind in _TITLED:
        return _titled(found, kind)
    if kind == "Question":
        return _saying(found, _html(found) + _options(found))
    if kind == "ChatMessage":
        # A word between two; whatever else it is addressed to, nobody else is to read it.
        somebody = [uri for uri in references(found.get("to")) if uri not in PUBLIC]
        return {**found, "to": (somebody or list(references(found.get("attributedTo"))))[:1], "cc": []}
    return found


def _titled(found: Json, kind: str) -> Json:
    """A summary is no warning here but what stands in for the content."""
    title = plain_text(in_language_map(found, "name")[0][:TITLE_MAX])
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    body = _html(found) or in_language_map(found, "summary")[0]
    return {**_saying(found, heading + body + _link(found, kind)), "summary": None, "summaryMap": None, "name": None}


def _saying(found: Json, html: str) -> Json:
    _, language = in_language_map(found, "content")
    return {**found, "content": html, "contentMap": {language: html} if language else None}


def _html(found: Json) -> str:
    content, _ = in_language_map(found, "content")
    if text(found.get("mediaType")) not in _PLAIN:
        return content
    # PeerTube writes Markdown; as text it is readable, and nothing in it is taken for HTML.
    paragraphs = (escape(part).replace("\n", "<br>") for part in content.replace("\r", "").split("\n\n"))
    return "".join(f"<p>{part}</p>" for part in paragraphs if part.strip())


def _link(found: Json, kind: str) -> str:
    address = page_of(found.get("url"), text(found.get("id")))
    if kind == "Page":
        # What a link post links to, at Lemmy and its kin.
        links = (one for one in objects(found.get("attachment")) if type_of(one, frozenset({"Link"})) == "Link")
        address = reference(next(links, None)) or address
    page = clean_url(address)
    return f'<p><a href="{escape(page)}">{escape(page)}</a></p>' if page else ""


def _options(found: Json) -> str:
    """What a poll asks, as a list; how it stands is not told."""
    given = many(found.get("oneOf")) or many(found.get("anyOf"))
    named = (plain_text(text(option.get("name"))[:OPTION_MAX]) for option in objects(given))
    options = [name for name, _ in zip(filter(None, named), range(OPTIONS_MAX), strict=False)]
    return f"<ul>{''.join(f'<li>{escape(name)}</li>' for name in options)}</ul>" if options else ""
