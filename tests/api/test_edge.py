"""Every route declares a scope, every answer can be read by a browser on another origin, every failure is JSON."""

import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import get
from litestar.params import FromPath

from adapters.unavailable import Unavailable
from api.app import create_routes
from api.auth import AnyViewer, TheViewer, bearer_token, may_have, needs, undeclared
from api.auth_scopes import SCOPES, has_scope
from api.errors import NO_ENDPOINT
from domain.events import NotFound, Refused
from domain.ports import Conflict, FactsBehind
from tests.api.composition import TestServer, browsing, register, token_for

pytestmark = pytest.mark.anyio


@get("/api/v1/test/mine", opt=needs("read:statuses"))
async def mine(viewer: TheViewer) -> dict[str, int]:
    return {"account": viewer.account}


@get("/api/v1/test/anyone", opt=may_have("read:statuses"))
async def anyone(viewer: AnyViewer) -> dict[str, int | None]:
    return {"account": viewer.account if viewer else None}


@get("/api/v1/test/fails/{how:str}", opt=may_have("read"))
async def fails(how: FromPath[str]) -> None:
    kinds: dict[str, Exception] = {
        "refused": Refused("Text can't be blank"),
        "absent": NotFound("No such post"),
        "unavailable": Unavailable("PostgreSQL", retry_after_s=7),
        "behind": FactsBehind(),
        "raced": Conflict(),
        "bug": RuntimeError("secret detail"),
    }
    raise kinds[how]


@get("/api/v1/test/forgotten")
async def forgotten() -> None: ...


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(server, [mine, anyone, fails]) as opened:
        yield opened


async def test_every_route_of_the_api_declares_its_scope(server: TestServer) -> None:
    assert list(undeclared(create_routes(server))) == []


async def test_a_route_without_a_scope_keeps_the_application_from_starting(server: TestServer) -> None:
    with pytest.raises(AssertionError, match="GET /api/v1/test/forgotten"):
        create_routes(server, [forgotten])


async def test_each_route_refuses_a_token_without_its_scope(server: TestServer) -> None:
    app = create_routes(server, [mine, anyone])
    async with browsing(server, [mine, anyone]) as client:
        # A scope that no route of ours asks for.
        headers = await token_for(server, await register(client), "admin:write:canonical_email_blocks")
        for route in app.routes:
            for handler in getattr(route, "route_handlers", ()):
                if not isinstance(handler.opt.get("scope"), tuple):
                    continue
                method = next(iter(handler.http_methods - {"OPTIONS", "HEAD"}))
                path = re.sub(r"{[^}]*}", "1", route.path)
                answer = await client.request(method, path, headers=headers)
                assert (answer.status_code, answer.json()) == (
                    403,
                    {"error": "This action is outside the authorized scopes"},
                ), route.path


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}]
)
async def test_without_a_good_token_a_persons_route_is_401(client: httpx.AsyncClient, headers: Any) -> None:
    answer = await client.get("/api/v1/test/mine?access_token=x", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"error": "The access token is invalid"})
    assert answer.headers["www-authenticate"].startswith('Bearer realm="Doorkeeper", error="invalid_token"')


async def test_an_open_route_knows_who_asks_and_refuses_a_bad_token(
    server: TestServer, client: httpx.AsyncClient
) -> None:
    app = await register(client)
    assert (await client.get("/api/v1/test/anyone")).json() == {"account": None}
    person, program = await token_for(server, app, "read"), await token_for(server, app, "read", account=None)
    assert (await client.get("/api/v1/test/anyone", headers=person)).json() == {"account": 7}
    assert (await client.get("/api/v1/test/anyone", headers=program)).json() == {"account": None}
    assert (await client.get("/api/v1/test/anyone", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_a_token_in_the_query_counts_for_nothing(server: TestServer, client: httpx.AsyncClient) -> None:
    token = (await token_for(server, await register(client), "read"))["Authorization"].removeprefix("Bearer ")
    assert (await client.get("/api/v1/test/mine", params={"access_token": token})).status_code == 401


def test_a_wide_scope_includes_the_narrow_and_never_the_other_way_round() -> None:
    assert has_scope(["read"], "read:statuses")
    assert has_scope(["follow"], "write:follows") and has_scope(["follow"], "read:mutes")
    assert has_scope(["admin:read"], "admin:read:accounts")
    assert not has_scope(["read:statuses"], "read")
    assert not has_scope(["follow"], "write:statuses")
    assert not has_scope(["read"], "admin:read") and not has_scope(["read"], "admin:read:accounts")
    assert not has_scope(["write"], "read:statuses") and not has_scope(["read"], "push")
    assert all(has_scope([scope], scope) for scope in SCOPES)


def test_only_a_bearer_header_holds_a_token() -> None:
    assert bearer_token(None) is None
    assert bearer_token("bearer abc") == "abc"
    assert bearer_token("Basic abc") == ""
    assert bearer_token("Bearer " + "x" * 300) == ""


SOON = "There was a temporary problem serving your request, please try again"


@pytest.mark.parametrize(
    ("how", "status", "error", "retry_after"),
    [
        ("refused", 422, "Validation failed: Text can't be blank", None),
        ("absent", 404, "Record not found", None),
        ("unavailable", 503, SOON, "7"),
        ("behind", 503, SOON, "2"),
        ("raced", 503, SOON, "2"),
        ("bug", 500, "Something went wrong on our side. It has been logged.", None),
    ],
)
async def test_each_kind_of_failure_is_one_sentence_in_json(
    client: httpx.AsyncClient,
    how: str,
    status: int,
    error: str,
    retry_after: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await client.get(f"/api/v1/test/fails/{how}", headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers.get("retry-after") == retry_after
    assert ("secret detail" in caplog.text) == (how == "bug")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/statuses/1/translate_all", "/api/v9", "/api/", "/api"])
async def test_an_endpoint_that_is_not_there_is_not_taken_for_a_post_that_is_gone(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path, headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()) == (404, {"error": NO_ENDPOINT})


@pytest.mark.parametrize("path", ["/oauth/token/x", "/nodeinfo/9"])
async def test_an_unknown_path_for_programs_is_json(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()) == (404, {"error": "Record not found"})


async def test_an_unknown_page_is_a_page_for_those_who_read_pages(client: httpx.AsyncClient) -> None:
    page = await client.get("/nowhere", headers={"accept": "text/html,*/*"})
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert (await client.get("/nowhere")).json() == {"error": "Record not found"}


async def test_a_wrong_method_is_json_too_and_names_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/api/v2/instance")
    assert (answer.status_code, answer.json()) == (405, {"error": NO_ENDPOINT})
    assert "GET" in answer.headers["allow"]
    answer = await client.delete("/oauth/token")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method not allowed"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/instance", 200),
        ("GET", "/api/v1/test/mine", 401),
        ("GET", "/api/v1/nothing", 404),
        ("POST", "/api/v1/apps", 422),
        ("POST", "/oauth/token", 400),
        ("POST", "/oauth/revoke", 401),
        ("GET", "/api/v1/test/fails/bug", 500),
        ("GET", "/.well-known/oauth-authorization-server", 200),
    ],
)
async def test_every_answer_can_be_read_from_another_origin(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path, headers={"Origin": "https://phanpy.social"})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Link" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["x-request-id"] and answer.headers["x-content-type-options"] == "nosniff"


async def test_preflights_are_answered_everywhere_even_where_no_route_is(client: httpx.AsyncClient) -> None:
    ask = {
        "Origin": "https://phanpy.social",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    for path in ("/api/v1/statuses", "/oauth/token", "/api/v1/nothing"):
        answer = await client.options(path, headers=ask)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        assert {"Authorization", "Idempotency-Key"} <= set(answer.headers["access-control-allow-headers"].split(", "))


async def test_head_answers_as_get_without_the_body_and_with_a_date(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/v2/instance"):
        answer = await client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert "GMT" in answer.headers["date"]


@pytest.mark.parametrize("path", ["/api/v1/instance", "/api/v2/instance"])
async def test_a_trailing_slash_changes_nothing(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path + "/")).json() == (await client.get(path)).json()


async def test_answers_of_the_api_are_not_cached_unless_they_say_so(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/test/anyone")
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["vary"] == "Authorization, Origin"
    assert "public" in (await client.get("/api/v2/instance")).headers["cache-control"]


async def test_the_instance_documents_hold_what_crashes_clients_when_absent(client: httpx.AsyncClient) -> None:
    current = (await client.get("/api/v2/instance")).json()
    assert current["domain"] == "localhost:3000"
    assert current["configuration"]["urls"]["streaming"] == ""
    assert current["configuration"]["statuses"]["max_characters"] == 5_000
    media = current["configuration"]["media_attachments"]
    assert media["supported_mime_types"][:2] == ["image/jpeg", "image/png"]
    assert (media["image_size_limit"], media["image_matrix_limit"]) == (16_777_216, 33_177_600)
    assert current["configuration"]["statuses"]["max_media_attachments"] == 4
    assert current["configuration"]["polls"]["max_options"] == 0
    assert current["usage"]["users"]["active_month"] == 2
    assert current["version"].startswith("4.2.0 (compatible; Daybook ")
    older = await client.get("/api/v1/instance")
    assert older.json()["uri"] == "localhost:3000"
    assert older.json()["stats"] == {"user_count": 3, "status_count": 1_204, "domain_count": 57}
    assert older.headers["deprecation"] == "@1668384000"


async def test_the_front_page_says_what_this_is_and_loads_its_own_style_only(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert "localhost:3000" in page.text and "1,204" in page.text
    assert "https://www.gnu.org/licenses/agpl-3.0.html" in page.text
    for path in ("/assets/daybook.css", "/assets/icon.svg", "/assets/thumbnail.png"):
        assert (await client.get(path)).status_code == 200
    for path in ("/avatars/original/missing.png", "/headers/original/missing.png"):
        assert (await client.get(path)).headers["access-control-allow-origin"] == "*"
