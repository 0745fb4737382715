"""A fetched document is believed only about the URL that it came from, and costs only so much."""

import asyncio
import gzip
import itertools
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.activitypub.fetch import Fetcher, FetchFailed, FetchGone, FetchLimits, FetchRefused
from adapters.activitypub.fetch_documents import is_activity_media_type
from adapters.activitypub.guard import GuardedTransport, GuardPolicy
from adapters.activitypub.signatures import SignedRequest, load_public_key, parse_signature, verify
from adapters.activitypub.signatures_sign import SigningKey
from tests.adapters.activitypub.fetch_peers import (
    ACTIVITY_JSON,
    AS2,
    NOW,
    PUBLIC,
    Clock,
    Network,
    document,
    fetching,
    network,
    redirect,
    response,
)

pytestmark = pytest.mark.anyio

NOTE = "https://good.test/n"
ANN = "https://good.test/u/ann"
BODY = msgspec.json.encode({"@context": AS2, "id": NOTE, "type": "Note"})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def refusal(net: Network, url: str = NOTE, limits: FetchLimits | None = None) -> str:
    async with fetching(net, limits=limits) as fetcher:
        with pytest.raises(FetchRefused) as caught:
            await fetcher.get_document(url)
        return caught.value.reason


@pytest.mark.parametrize("host", ["a.test", "localhost", "127.0.0.1"])
async def test_in_trials_documents_come_by_plain_http_from_loopback(tmp_path: Path, host: str) -> None:
    async with network(tmp_path, scheme="http") as net:
        mapped = host == "a.test"
        url = "http://a.test/n" if mapped else f"http://{host}:{net.port}/n"
        policy = GuardPolicy(name_map={"a.test": ("127.0.0.1", net.port)}) if mapped else GuardPolicy(loopback=True)
        transport = GuardedTransport(policy)
        net.answers[url] = document(url)
        found = await Fetcher(transport, own_origin="http://b.test", clock=Clock()).get_document(url)
        assert found.document["id"] == url
        await transport.aclose()


async def test_a_document_comes_with_its_bytes_and_where_and_when_it_was_found(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = response(BODY)

        found = await fetcher.get_document("HTTPS://GOOD.test:443/n")

        assert (found.url, found.final_url, found.body, found.fetched_at) == (NOTE, NOTE, BODY, NOW)
        assert (found.content_type, found.document["type"]) == (ACTIVITY_JSON, "Note")


async def test_n05_each_request_is_signed_anew_for_its_host_and_carries_no_cookie(tmp_path: Path) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    spki = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    actor = "https://our.test/actor"
    key = load_public_key(f"{actor}#main-key", actor, private.public_key().public_bytes(*spki).decode())
    signer = SigningKey(f"{actor}#main-key", private)
    async with network(tmp_path) as net, fetching(net, signer=signer) as fetcher:
        net.answers["https://evil.test/r?a=b"] = response(b"", status=302, Location=NOTE, Set_Cookie="a=b")
        net.answers[NOTE] = response(BODY)

        await fetcher.get_document("https://evil.test/r?a=b")

        assert net.urls() == ["https://evil.test/r?a=b", NOTE]
        for asked, host in zip(net.asked, ("evil.test", "good.test"), strict=True):
            request = SignedRequest("GET", asked.target, asked.headers)
            proof = verify(request, parse_signature(asked.headers), key, authorities=frozenset({host}), now=NOW)
            assert proof.signer == actor
            names = [name for name, _ in asked.headers]
            assert "cookie" not in names and names.count("host") == 1
            assert dict(asked.headers)["accept-encoding"] == "gzip"


async def test_i01_a_document_of_another_origin_is_asked_there_once(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers["https://evil.test/x"] = document(ANN, type="Person", name="false")
        net.answers[ANN] = document(ANN, type="Person", name="true")

        found = await fetcher.get_document("https://evil.test/x")

        assert (found.document["name"], found.final_url, found.url) == ("true", ANN, ANN)
        assert net.urls() == ["https://evil.test/x", ANN]


async def test_i02_it_is_nothing_when_its_own_origin_does_not_have_it(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        net.answers["https://evil.test/x"] = document(ANN)
        assert "404" in await refusal(net, "https://evil.test/x")


async def test_an_id_that_leads_on_and_on_is_followed_once(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        net.answers["https://evil.test/1"] = document("https://evil.test/2")
        net.answers["https://evil.test/2"] = document("https://evil.test/3")
        assert "id" in await refusal(net, "https://evil.test/1")
        assert len(net.asked) == 2


@pytest.mark.parametrize("id_", ["https://GOOD.test/n", "https://good.test:443/n"])
async def test_i03_an_id_may_differ_in_the_hosts_case_and_the_default_port(tmp_path: Path, id_: str) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = document(id_)
        await fetcher.get_document(NOTE)
        assert len(net.asked) == 1


@pytest.mark.parametrize("id_", [f"{NOTE}/", f"{NOTE}?x", "https://good.test/N", "http://good.test/n"])
async def test_i03_an_id_may_differ_in_nothing_else(tmp_path: Path, id_: str) -> None:
    async with network(tmp_path) as net:
        net.answers[NOTE] = document(id_)
        await refusal(net)


async def test_a_fragment_that_was_asked_for_may_be_in_the_id(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = document(f"{NOTE}#key")
        assert (await fetcher.get_document(f"{NOTE}#key")).final_url == NOTE


async def test_i05_a_page_that_redirects_to_its_document_is_fine(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers["https://good.test/@ann/1"] = redirect("/n", 301)
        net.answers[NOTE] = response(BODY)
        found = await fetcher.get_document("https://good.test/@ann/1")
        assert (found.url, found.final_url) == ("https://good.test/@ann/1", NOTE)


async def test_i06_an_open_redirect_lends_no_authority(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        net.answers["https://good.test/r?to=evil"] = redirect("https://evil.test/n")
        net.answers["https://evil.test/n"] = document(NOTE)
        assert "404" in await refusal(net, "https://good.test/r?to=evil")


async def test_i07_a_redirect_to_the_true_origin_is_that_origins_document(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers["https://evil.test/n"] = redirect(NOTE)
        net.answers[NOTE] = response(BODY)
        assert (await fetcher.get_document("https://evil.test/n")).final_url == NOTE


LD = "application/ld+json"


@pytest.mark.parametrize(
    ("content_type", "holds"),
    [
        ("application/activity+json", True),
        ("Application/Activity+JSON; charset=utf-8", True),
        (f'{LD}; profile="{AS2}"', True),
        (f"{LD};profile={AS2}", True),
        (f'{LD}; profile="https://w3id.org/x {AS2}"; charset=utf-8', True),
        (f'{LD}; charset="a;b"; Profile="{AS2}"', True),
        ("application/json", False),
        ("text/plain", False),
        ("", False),
        (LD, False),
        (f'{LD}; profile="{AS2}x"', False),
        (f'{LD}; x="profile={AS2}"', False),
        ("application/activity+jsonx", False),
        ("image/png; application/activity+json", False),
        ("text/html, application/activity+json", False),
    ],
)
def test_i11_i12_only_the_types_of_activitypub_announce_its_documents(content_type: str, holds: bool) -> None:
    assert is_activity_media_type(content_type) is holds


async def test_i11_a_document_under_another_type_is_refused(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        net.answers[NOTE] = response(BODY, "application/json")
        assert "content type" in await refusal(net)


@pytest.mark.parametrize("status", [206, 203, 204, 300, 304, 400, 401, 403, 404])
async def test_i13_only_200_is_a_document(tmp_path: Path, status: int) -> None:
    async with network(tmp_path) as net:
        net.answers[NOTE] = response(BODY if status not in (204, 304) else b"", status=status)
        assert str(status) in await refusal(net)


async def test_410_says_that_it_is_gone(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = response(b"", status=410)
        with pytest.raises(FetchGone):
            await fetcher.get_document(NOTE)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_an_error_that_may_pass_is_temporary(tmp_path: Path, status: int) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = response(b"", status=status)
        with pytest.raises(FetchFailed, match=str(status)):
            await fetcher.get_document(NOTE)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "https://good.test/n"}',
        b'{"@context": "https://evil.test/ctx", "id": "https://good.test/n"}',
        b"[]",
        b"<html>",
        *(
            msgspec.json.encode({"@context": AS2, "id": id_})
            for id_ in (None, 1, [NOTE], {"id": NOTE}, "", "1", "javascript:x", "acct:ann@good.test")
        ),
        msgspec.json.encode({"@context": AS2, "@id": NOTE}),
        b'{"@context": "https://www.w3.org/ns/activitystreams", "id": "https://good.test/n", "a":'
        + b"[" * 40
        + b"]" * 40
        + b"}",
    ],
)
async def test_i14_i15_n11_what_is_no_document_is_refused_without_another_request(tmp_path: Path, body: bytes) -> None:
    async with network(tmp_path) as net:
        net.answers[NOTE] = response(body)
        await refusal(net)
        assert net.urls() == [NOTE]


async def test_i16_of_duplicate_keys_one_value_counts_everywhere(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = response(
            b'{"@context":"https://www.w3.org/ns/activitystreams","id":"https://evil.test/n","id":"https://good.test/n"}'
        )
        assert (await fetcher.get_document(NOTE)).document["id"] == NOTE


@pytest.mark.parametrize("url", ["https://our.test/ap/users/1", "https://OUR.test:443/x"])
async def test_i19_our_own_documents_are_not_fetched(tmp_path: Path, url: str) -> None:
    async with network(tmp_path) as net:
        net.answers[NOTE] = redirect(url)
        assert "own" in await refusal(net, url)
        assert "own" in await refusal(net, NOTE)


async def test_i21_http_is_not_fetched(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        await refusal(net, "http://good.test:8080/n")
        assert net.dialled == []


@pytest.mark.parametrize(
    "location",
    [
        "",
        "file:///etc/passwd",
        "gopher://good.test/",
        "http://good.test/n",
        "http://good.test:8080/n",
        "https://user@good.test/n",
        "https://127.0.0.1/",
        "https://private.test/",
        "https://good.test:22/",
        "https://good.test\\@evil.test/",
        "https://good.test/a\tb",
        "//private.test/",
    ],
)
async def test_n04_a_redirect_to_what_is_not_fetched_is_refused(tmp_path: Path, location: str) -> None:
    async with network(tmp_path) as net:
        net.names |= {"private.test": [["169.254.169.254"]], "127.0.0.1": [["127.0.0.1"]]}
        net.answers[NOTE] = redirect(location)
        await refusal(net)
        assert net.dialled == [(PUBLIC, 443)]


async def test_n04_three_redirects_are_followed_and_no_fourth(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        for here, there in itertools.pairwise(["3", "2", "1", "n"]):
            net.answers[f"https://good.test/{here}"] = redirect(there)
        net.answers["https://good.test/4"] = redirect("3")
        net.answers[NOTE] = response(BODY)
        assert await fetcher.get_document("https://good.test/3")
        with pytest.raises(FetchRefused, match="redirects"):
            await fetcher.get_document("https://good.test/4")


async def test_n08_a_body_that_trickles_in_is_given_up(tmp_path: Path) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", Content_Length="1000"))
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with network(tmp_path) as net, fetching(net, limits=FetchLimits(total_s=0.2)) as fetcher:
        net.answers[NOTE] = trickle
        with pytest.raises(FetchFailed, match="too long"):
            await fetcher.get_document(NOTE)


async def test_s24_a_host_that_did_not_answer_is_not_dialled_for_five_minutes(tmp_path: Path) -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    clock = Clock()
    async with network(tmp_path) as net, fetching(net, clock=clock, limits=FetchLimits(read_s=0.1)) as fetcher:
        net.answers[NOTE] = silence
        for _ in range(3):
            with pytest.raises(FetchFailed):
                await fetcher.get_document(NOTE)
        assert len(net.dialled) == 1
        clock.forward(minutes=5, seconds=1)
        net.answers[NOTE] = response(BODY)
        assert await fetcher.get_document(NOTE)


async def test_a_connection_that_breaks_is_temporary_and_not_held_against_the_host(tmp_path: Path) -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = hang_up
        with pytest.raises(FetchFailed):
            await fetcher.get_document(NOTE)
        net.answers[NOTE] = response(BODY)
        assert await fetcher.get_document(NOTE)


async def test_a_name_that_does_not_resolve_is_temporary(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        with pytest.raises(FetchFailed):
            await fetcher.get_document("https://nowhere.test/n")


async def test_gzip_is_read(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = response(gzip.compress(BODY), Content_Encoding="gzip")
        assert (await fetcher.get_document(NOTE)).body == BODY


PADDED = BODY + b" " * 2_000_000


@pytest.mark.parametrize(
    "answer",
    [
        response(PADDED),
        response(b"x", Content_Length="5000000000") + b"x" * 1_100_000,
        response(gzip.compress(PADDED), Content_Encoding="gzip"),
        response(gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip"),
        response(gzip.compress(BODY)[:-9], Content_Encoding="gzip"),
        response(BODY, Content_Encoding="gzip"),
        response(BODY, Content_Encoding="br"),
        response(BODY, Content_Encoding="zstd"),
        response(gzip.compress(gzip.compress(BODY)), Content_Encoding="gzip, gzip"),
        response(BODY, **{f"X-{number}": "x" for number in range(300)}),
    ],
    ids=["long", "lying", "bomb", "1000:1", "cut", "not gzip", "br", "zstd", "twice", "300 headers"],
)
async def test_n09_n10_bodies_beyond_measure_are_refused(tmp_path: Path, answer: bytes) -> None:
    async with network(tmp_path) as net:
        net.answers[NOTE] = answer
        await refusal(net)


async def test_n09_an_endless_body_is_given_up_at_its_limit(tmp_path: Path) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {ACTIVITY_JSON}\r\n\r\n".encode())
        while not writer.is_closing():
            writer.write(b" " * 65_536)
            await writer.drain()

    async with network(tmp_path) as net:
        net.answers[NOTE] = endless
        assert "longer" in await refusal(net)


async def test_n10_a_header_of_a_megabyte_ends_the_request(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers[NOTE] = response(BODY, X_Long="x" * 1_000_000)
        with pytest.raises(FetchFailed):
            await fetcher.get_document(NOTE)
