"""multipart/form-data (RFC 7578), through the parser that Litestar itself uses, given types here."""

from collections.abc import Iterable
from typing import Any, Protocol, cast

import multipart  # pyright: ignore[reportMissingTypeStubs]

from api.errors import BadRequest

FIELDS_MAX = 2_000

# A segment begins with its headers, goes on with bytes, and ends with None.
_EVENTS = cast("Any", multipart)


class _Segment(Protocol):
    name: str | None
    filename: str | None


def media_type(header: str) -> tuple[str, str]:
    """`multipart/form-data; boundary=x` as its type in lower case and its boundary ("" without one)."""
    kind, options = cast("tuple[str, dict[str, str]]", _EVENTS.parse_options_header(header))
    return kind.lower(), options.get("boundary", "")


def fields(raw: bytes, boundary: str) -> list[tuple[str, bytes]]:
    """The text fields of a form, in order. Files are passed over; `params_uploads` is for the routes that take any.

    Raises BadRequest for what is no form.
    """
    found: list[tuple[str, bytes]] = []
    segment: _Segment | None = None
    value = bytearray()
    try:
        with _EVENTS.PushMultipartParser(boundary, max_segment_count=FIELDS_MAX) as parser:
            for event in cast("Iterable[Any]", (*parser.parse(raw), *parser.parse(b""))):
                if isinstance(event, _EVENTS.MultipartSegment):
                    segment, value = cast("_Segment", event), bytearray()
                elif event:
                    value += event
                elif segment is not None and segment.name is not None and segment.filename is None:
                    found.append((segment.name, bytes(value)))
    except (multipart.MultipartError, UnicodeError) as error:
        raise BadRequest("The request body is not a valid form") from error
    return found
