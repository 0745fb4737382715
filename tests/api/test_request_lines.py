"""What is noted of a request: the route's template and never what a client made up, under the id that it was told."""

import logging

import httpx
import pytest
from litestar import get
from litestar.params import FromPath

from api.app import create_routes
from api.auth import may_have
from api.cors import BROKEN_OFF, Edge
from tests.api.composition import TestServer

pytestmark = pytest.mark.anyio

Noted = tuple[str, str, int, float, str]


@get("/api/v1/test/things/{thing_id:str}", opt=may_have("read"))
async def thing(thing_id: FromPath[str]) -> dict[str, str]:
    if thing_id == "bug":
        logging.getLogger("daybook.test").warning("said meanwhile")
        raise RuntimeError("broken")
    return {"id": thing_id}


async def asked(server: TestServer, method: str, path: str) -> tuple[httpx.Response, Noted]:
    noted: list[Noted] = []
    app = Edge(create_routes(server, [thing]), [lambda *one: noted.append(one)])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url=server.settings.origin) as client:
        answer = await client.request(method, path)
    (one,) = noted
    return answer, one


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/test/things/42?access_token=x", ("GET", "/api/v1/test/things/{thing_id}", 200)),
        ("HEAD", "/api/v1/test/things/42", ("HEAD", "/api/v1/test/things/{thing_id}", 200)),
        ("GET", "/api/v1/test/things/bug", ("GET", "/api/v1/test/things/{thing_id}", 500)),
        ("GET", "/nothing/here/42", ("GET", "none", 404)),
        ("BREW", "/api/v1/test/things/42", ("other", "none", 405)),
    ],
)
async def test_a_request_is_noted_by_its_route_and_never_by_its_path(
    server: TestServer, method: str, path: str, expected: tuple[str, str, int]
) -> None:
    answer, (*what, seconds, request_id) = await asked(server, method, path)
    assert tuple(what) == (expected[0], what[1] if method == "BREW" else expected[1], expected[2])
    assert "42" not in what[1] and seconds > 0
    assert answer.headers["x-request-id"] == request_id


async def test_a_client_that_goes_away_is_noted_as_that() -> None:
    noted: list[Noted] = []

    async def leaves(scope: object, receive: object, send: object) -> None:
        """Answers nothing."""

    edge = Edge(leaves, [lambda *one: noted.append(one)])  # pyright: ignore[reportArgumentType]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await edge(scope, None, None)  # pyright: ignore[reportArgumentType]
    assert noted[0][2] == BROKEN_OFF
