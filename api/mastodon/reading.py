"""What every route that reads has in common: ids in paths, waiting for one's own writes, answering with bytes."""

from collections.abc import Mapping

from litestar import MediaType, Response

from adapters.unavailable import Unavailable
from api.auth import Viewer
from api.errors import NotFound
from api.server import Book
from projections.status_queries import ID_MAX

ID_DIGITS_MAX = 19

FOR_ANYBODY = {"Cache-Control": "max-age=15, public"}


def id_in(path: str) -> int:
    """The id that a path names. Raises NotFound for what can be none."""
    if len(path) > ID_DIGITS_MAX or not (path.isascii() and path.isdecimal()) or int(path) > ID_MAX:
        raise NotFound
    return int(path)


def ids_among(sent: list[str]) -> list[int]:
    """Those that are ids, each once, in order."""
    numbers = [int(one) for one in sent if len(one) <= ID_DIGITS_MAX and one.isascii() and one.isdecimal()]
    return [number for number in dict.fromkeys(numbers) if number <= ID_MAX]


async def current(server: Book, viewer: Viewer | None) -> dict[str, str]:
    """Waits until the viewer reads what they wrote, two seconds at most; gives the headers of the answer.

    `Daybook-Behind` says how many events are lacking where that was not enough.
    """
    if viewer is None:
        return FOR_ANYBODY
    lacking = await server.reads.caught_up(await server.written_by(viewer.token))
    return {"Daybook-Behind": str(lacking)} if lacking else {}


async def up_to_now(server: Book) -> None:
    """Waits until all that is in the log can be read. Raises Unavailable when that is not so in two seconds.

    For what must be there, such as the account behind a good token, which may have been registered just now.
    """
    position, _ = await server.reads.head()
    if await server.reads.caught_up(position):
        raise Unavailable("The read models are behind")


def absent(waited: Mapping[str, str]) -> NotFound | Unavailable:
    """Why there is no such row: there is none, or it is not there yet."""
    return Unavailable("The read models are behind") if "Daybook-Behind" in waited else NotFound()


def json(body: bytes | str, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """An answer that is JSON already."""
    content = body.encode() if isinstance(body, str) else body
    return Response(content, media_type=MediaType.JSON, headers=dict(headers or {}))
