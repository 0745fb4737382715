"""What clients send, in every spelling they use, becomes the same typed Struct; and nothing sent is ever a 500."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar, Request, route

from api import errors
from api.params import BODY_BYTES_MAX, params
from api.web.pages import Pages

pytestmark = pytest.mark.anyio


class Poll(msgspec.Struct, frozen=True):
    options: list[str] = []
    expires_in: int | None = None
    multiple: bool = False


class Field(msgspec.Struct, frozen=True):
    name: str = ""
    value: str = ""


class Asked(msgspec.Struct, frozen=True):
    id: list[str] = []
    status: str = ""
    spoiler_text: str | None = None
    sensitive: bool = False
    locked: bool | None = None
    limit: Annotated[int, msgspec.Meta(ge=0)] = 20
    poll: Poll | None = None
    fields_attributes: list[Field] = []
    scheduled_at: dt.datetime | None = None


class Needy(msgspec.Struct, frozen=True):
    client_name: str
    website: str | None = None


@route("/asked", http_method=["GET", "POST", "PUT", "PATCH", "DELETE"], status_code=200)
async def asked(request: Request[Any, Any, Any]) -> Asked:
    return await params(request, Asked)


@route("/needy", http_method=["GET", "POST"], status_code=200)
async def needy(request: Request[Any, Any, Any]) -> Needy:
    return await params(request, Needy)


@pytest.fixture
def app() -> Litestar:
    return Litestar(
        [asked, needy], exception_handlers=errors.handlers(Pages("Test")), openapi_config=None, logging_config=None
    )


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:3000") as opened:
        yield opened


async def read(client: httpx.AsyncClient, **request: Any) -> Asked:
    method = request.pop("method", "POST")
    answer = await client.request(method, "/asked" + request.pop("query", ""), **request)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Asked)


FORM = "application/x-www-form-urlencoded"


def form(text: str) -> dict[str, Any]:
    return {"content": text.encode(), "headers": {"content-type": FORM}}


@pytest.mark.parametrize(
    "sent",
    [
        {"query": "?id[]=1&id[]=2"},
        {"query": "?id%5B%5D=1&id%5B%5D=2"},
        {"query": "?id[0]=1&id[1]=2", "method": "GET"},
        {"query": "?id[10]=2&id[9]=1", "method": "GET"},
        form("id[]=1&id[]=2"),
        form("id[1]=2&id[0]=1"),
        {"json": {"id": ["1", "2"]}},
        {"json": {"id": [1, 2]}},
        {"json": {"id": {"0": "1", "1": "2"}}},
        {"json": {"id": ["1", "2"]}, "method": "DELETE"},
        {**form("id[]=1&id[]=2"), "method": "DELETE"},
        {"files": [("id[]", (None, "1")), ("id[]", (None, "2"))]},
        {"files": [("id[0]", (None, "1")), ("id[1]", (None, "2"))], "method": "PATCH"},
    ],
)
async def test_a_list_may_be_spelled_in_every_way_that_clients_spell_it(
    client: httpx.AsyncClient, sent: dict[str, Any]
) -> None:
    assert (await read(client, **sent)).id == ["1", "2"]


async def test_a_bare_scalar_is_a_list_of_one(client: httpx.AsyncClient) -> None:
    assert (await read(client, method="GET", query="?id=1")).id == ["1"]


@pytest.mark.parametrize(
    "sent",
    [
        form("poll[options][]=a&poll[options][]=b&poll[expires_in]=300&poll[multiple]=1"),
        {"json": {"poll": {"options": ["a", "b"], "expires_in": "300", "multiple": True}}},
        {"json": {"poll": {"options": ["a", "b"], "expires_in": 300, "multiple": "true"}}},
    ],
)
async def test_a_poll_may_come_as_brackets_or_as_json(client: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    assert (await read(client, **sent)).poll == Poll(options=["a", "b"], expires_in=300, multiple=True)


@pytest.mark.parametrize(
    "sent",
    [
        form(
            "fields_attributes[0][name]=x&fields_attributes[0][value]=y"
            "&fields_attributes[1][name]=z&fields_attributes[1][value]="
        ),
        form("fields_attributes[][name]=x&fields_attributes[][value]=y&fields_attributes[][name]=z"),
        {"json": {"fields_attributes": [{"name": "x", "value": "y"}, {"name": "z"}]}},
        {"json": {"fields_attributes": {"0": {"name": "x", "value": "y"}, "1": {"name": "z"}}}},
    ],
)
async def test_a_list_of_hashes_may_be_numbered_or_not(client: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    assert (await read(client, **sent)).fields_attributes == [Field("x", "y"), Field("z", "")]


@pytest.mark.parametrize("word", ["0", "f", "F", "false", "FALSE", "off", "OFF", ""])
async def test_rails_words_for_false_are_false(client: httpx.AsyncClient, word: str) -> None:
    assert (await read(client, **form(f"sensitive={word}"))).sensitive is False
    assert (await read(client, json={"sensitive": word})).sensitive is False


@pytest.mark.parametrize("word", ["1", "t", "true", "yes", "no"])
async def test_any_other_word_is_true(client: httpx.AsyncClient, word: str) -> None:
    assert (await read(client, **form(f"sensitive={word}"))).sensitive is True


async def test_an_empty_string_is_null_where_null_may_be(client: httpx.AsyncClient) -> None:
    answer = await read(client, **form("spoiler_text=&locked=&limit="))
    assert (answer.spoiler_text, answer.locked, answer.limit) == (None, None, 20)


async def test_json_null_means_not_given(client: httpx.AsyncClient) -> None:
    assert await read(client, json=dict.fromkeys(Asked.__struct_fields__)) == Asked()


async def test_integers_may_come_as_strings(client: httpx.AsyncClient) -> None:
    assert (await read(client, method="GET", query="?limit=40")).limit == 40


async def test_the_query_string_wins_over_the_body_and_both_count(client: httpx.AsyncClient) -> None:
    answer = await read(client, query="?limit=5", json={"limit": 7, "status": "Hello"})
    assert (answer.limit, answer.status) == (5, "Hello")


async def test_unknown_parameters_are_ignored(client: httpx.AsyncClient) -> None:
    assert await read(client, query="?nonsense[a][]=1&__proto__=2", json={"x": {"y": [1]}}) == Asked()


async def test_nul_characters_are_left_out(client: httpx.AsyncClient) -> None:
    assert (await read(client, json={"status": "a\x00b"})).status == "ab"
    assert (await read(client, **form("status=a%00b"))).status == "ab"


async def test_a_file_in_a_form_is_passed_over(client: httpx.AsyncClient) -> None:
    answer = await read(client, files={"status": ("a.txt", b"file"), "spoiler_text": (None, "cw")})
    assert (answer.status, answer.spoiler_text) == ("", "cw")


async def test_an_empty_json_body_is_no_parameters(client: httpx.AsyncClient) -> None:
    assert await read(client, content=b"", headers={"content-type": "application/json"}) == Asked()


@pytest.mark.parametrize("sent", [{}, {"json": {"client_name": ""}}, {"json": {"client_name": None}}, form("a=b")])
async def test_a_missing_required_parameter_is_a_400_that_names_it(
    client: httpx.AsyncClient, sent: dict[str, Any]
) -> None:
    answer = await client.post("/needy", **sent)
    assert answer.status_code == 400
    assert answer.json() == {"error": "param is missing or the value is empty: client_name"}


BROKEN: list[dict[str, Any]] = [
    {"content": b"{", "headers": {"content-type": "application/json"}},
    {"content": b"[1]", "headers": {"content-type": "application/json"}},
    {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}},
    {"content": b'{"a":' * 200 + b"1" + b"}" * 200, "headers": {"content-type": "application/json"}},
    {"content": b'{"status":"\xff"}', "headers": {"content-type": "application/json"}},
    {"content": b'{"status":"\\ud800"}', "headers": {"content-type": "application/json"}},
    {"content": b'{"limit":' + b"9" * 5_000 + b"}", "headers": {"content-type": "application/json"}},
    {"content": b'{"status":' + b"9" * 5_000 + b"}", "headers": {"content-type": "application/json"}},
    {"content": b"no form", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    {"content": b"no boundary", "headers": {"content-type": "multipart/form-data"}},
    {"content": b"--x\r\n\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    {
        "content": b'--x\r\nContent-Disposition: form-data; name="status"\r\n\r\n\xff\r\n--x--\r\n',
        "headers": {"content-type": "multipart/form-data; boundary=x"},
    },
    form("status=%ff"),
    form("status=1&status[a]=2"),
    form("status[a]=2&status=1"),
    form("id[]=2&id[a]=1"),
    form("id[a]=2&id[]=1"),
    form("a" + "[b]" * 50 + "=1"),
    form("status[a]=1"),
    form("limit=many"),
    form("limit=" + "9" * 5_000),
    form("limit=-1"),
    form("scheduled_at=tomorrow"),
    form("poll=yes"),
    form("&".join(f"a{n}=1" for n in range(3_000))),
]


@pytest.mark.parametrize("sent", BROKEN, ids=range(len(BROKEN)))
async def test_what_cannot_be_read_is_a_clear_refusal(client: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    answer = await client.post("/asked", **sent)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]


async def test_a_key_of_a_megabyte_is_an_unknown_key(client: httpx.AsyncClient) -> None:
    assert await read(client, **form("a" * 1_000_000 + "=1")) == Asked()


async def test_too_many_bytes_are_a_413_whether_declared_or_not(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 65_536 + 1):
            yield b"a" * 65_536

    declared = await client.post("/asked", **form("a" * (BODY_BYTES_MAX + 1)))
    streamed = await client.post("/asked", content=chunks(), headers={"content-type": FORM})
    assert (declared.status_code, streamed.status_code) == (413, 413)


KINDS = ["application/json", FORM, "multipart/form-data; boundary=x", "text/plain", "", "\u00e9;;=", "a/b; boundary"]
SCRAPS = st.lists(
    st.sampled_from(b'id poll [ ] [] [0] = & % %00 \xff { } " : , --x \r\n limit 1 null fields_attributes'.split(b" ")),
    max_size=30,
).map(b"".join)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
@given(body=SCRAPS | st.binary(max_size=200), query=SCRAPS, kind=st.sampled_from(KINDS))
async def test_no_bytes_whatever_make_a_500(app: Litestar, body: bytes, query: bytes, kind: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    # httpx would quote these queries; a socket does not.
    sent: list[dict[str, Any]] = []
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": "/asked", "query_string": query, "headers": headers}
    await app({**scope, "server": ("localhost", 3000), "scheme": "http"}, receive, send)  # pyright: ignore[reportArgumentType]
    assert sent[0]["status"] in (200, 400, 413, 422), sent
