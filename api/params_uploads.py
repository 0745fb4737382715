"""Files in forms, for the routes that take any: received piece by piece into files that have no name.

`async with uploads(request, Struct, room) as asked:` answers a filled `Struct`, as `params` does; its fields of type
`Upload | None` are the files of a multipart form by their names. What a client calls a file, and says that it is, is
not looked at. When the block ends the files are gone.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from typing import Any, BinaryIO, Protocol, TypeVar, cast

import msgspec
import multipart  # pyright: ignore[reportMissingTypeStubs]
from litestar import Request

from api.errors import BadRequest, TooLarge
from api.params import BODY_BYTES_MAX, decoded, params, query
from api.params_form import FIELDS_MAX, media_type
from api.params_shape import shaped
from api.params_tree import Pairs, Tree, tree

FILE_BYTES_MAX = 16_777_216
FILES_MAX = 2
BYTES_MAX = FILES_MAX * FILE_BYTES_MAX + BODY_BYTES_MAX

# The parser that Litestar itself uses has no types of its own.
_MULTIPART = cast("Any", multipart)
_TOO_LARGE = f"A file may have at most {FILE_BYTES_MAX // 1_048_576} MiB"

T = TypeVar("T", bound=msgspec.Struct)


class Upload:
    """A file as it was sent: readable from its start while the request is answered."""

    __slots__ = ("bytes", "file")

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.bytes = 0


class _Segment(Protocol):
    name: str | None
    filename: str | None


@asynccontextmanager
async def uploads(request: Request[Any, Any, Any], into: type[T], room: Callable[[], BinaryIO]) -> AsyncGenerator[T]:
    """The request's parameters as an `into`; `room` gives a new file to receive an upload in.

    Raises what `params` raises; TooLarge (413) also for a file of more than 16 MiB.
    """
    kind, boundary = media_type(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        yield await params(request, into)
        return
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > BYTES_MAX:
        raise TooLarge(_TOO_LARGE)
    with ExitStack() as opened:
        form = _Form(room, opened)
        try:
            with _MULTIPART.PushMultipartParser(boundary, max_segment_count=FIELDS_MAX) as parser:
                async for chunk in request.stream():
                    await form.take(parser.parse(chunk))
                await form.take(parser.parse(b""))
        except (multipart.MultipartError, UnicodeError) as error:
            raise BadRequest("The request body is not a valid form") from error
        yield shaped({**form.sent(), **query(request)}, into)


class _Form:
    """What has come of a form so far."""

    def __init__(self, room: Callable[[], BinaryIO], opened: ExitStack) -> None:
        self._room = room
        self._opened = opened
        self._pairs: Pairs = []
        self._files: dict[str, Upload] = {}
        self._segment: _Segment | None = None
        self._upload: Upload | None = None
        self._value = bytearray()
        self._text_bytes = 0

    def sent(self) -> Tree:
        """All parameters; a file wins over a text of the same name."""
        return {**tree(self._pairs), **self._files}

    async def take(self, events: Iterable[Any]) -> None:
        """The parser's next events: a segment's headers, then bytes, then None for its end."""
        for event in events:
            if isinstance(event, _MULTIPART.MultipartSegment):
                await self._begin(cast("_Segment", event))
            elif event:
                await self._go_on(event)
            elif self._segment is not None and self._segment.name is not None and self._segment.filename is None:
                self._pairs.append((self._segment.name, decoded(bytes(self._value))))

    async def _begin(self, segment: _Segment) -> None:
        self._segment, self._upload, self._value = segment, None, bytearray()
        # A browser sends a field for files without a choice as a file without name.
        if segment.name is not None and segment.filename:
            if len(self._files) >= FILES_MAX:
                raise BadRequest("Too many files")
            self._upload = Upload(self._opened.enter_context(await asyncio.to_thread(self._room)))
            self._files[segment.name] = self._upload

    async def _go_on(self, piece: bytes) -> None:
        upload = self._upload
        if upload is None:
            self._text_bytes += len(piece)
            if self._text_bytes > BODY_BYTES_MAX:
                raise TooLarge
            self._value += piece
            return
        upload.bytes += len(piece)
        if upload.bytes > FILE_BYTES_MAX:
            raise TooLarge(_TOO_LARGE)
        await asyncio.to_thread(upload.file.write, piece)
