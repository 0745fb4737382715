"""A handle is believed where its own host says so, and nobody can lend or steal one (federation §6.1, A16)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.activitypub.fetch_documents import FetchFailed, FetchGone, FetchRefused
from adapters.activitypub.webfinger import Handle, WebFinger, handle_in, handle_of
from tests.adapters.activitypub.fetch_peers import Network, fetching, network, redirect, response

pytestmark = pytest.mark.anyio
ANN = "https://good.test/u/ann"
MAL = "https://evil.test/u/mal"
ACTIVITY_JSON = "application/activity+json"
LD_JSON = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Network]:
    async with network(tmp_path) as made:
        yield made


@pytest.fixture
async def webfinger(net: Network) -> AsyncIterator[WebFinger]:
    async with fetching(net) as fetcher:
        yield WebFinger(fetcher, lambda host: False)


def url(handle: str) -> str:
    return f"https://{handle.partition('@')[2]}/.well-known/webfinger?resource=acct%3A{handle.replace('@', '%40')}"


def jrd(
    actor: str, subject: str | None = None, kind: Any = ACTIVITY_JSON, media_type: str = "application/jrd+json"
) -> bytes:
    body = {"subject": subject, "links": [{"rel": "self", "type": kind, "href": actor}]}
    return response(json.dumps(body).encode(), media_type)


def handle(written: str) -> Handle:
    found = handle_in(written)
    assert found is not None
    return found


@pytest.mark.parametrize("written", ["ann@good.test", "@ann@good.test", "acct:ann@GOOD.test", " ann@good.test\n"])
def test_a_handle_is_read_however_people_write_it(written: str) -> None:
    assert handle_in(written) == Handle("ann", "good.test")


def test_a_host_has_one_spelling() -> None:
    assert handle_in("ann@Bücher.test") == Handle("ann", "xn--bcher-kva.test")
    assert handle_in("ann@localhost:3000") == Handle("ann", "localhost:3000")


@pytest.mark.parametrize(
    "written",
    [
        *("", "ann", "@ann", "ann@", "@@good.test", "ann@good.test@evil.test", "https://good.test/u/ann"),
        *("ann@good.test/x", "ann@good.test?x", "ann@good.test#x", "ann@good.test.", "ann@good%2etest"),
        *(
            "Gargron@mastodon.social\u2800\u2800@ap.uwu.st",
            "\u0430nn@good.test",
            "a nn@good.test",
            "ann\u200b@good.test",
        ),
        *(f"{'a' * 256}@good.test", f"ann@{'a' * 64}.test", "ann@good.test\\@evil.test", "ann@0x7f.1"),
    ],
)
def test_lookalikes_and_half_handles_are_none(written: str) -> None:
    assert handle_in(written) is None


async def test_the_actor_is_who_the_handles_host_names(net: Network, webfinger: WebFinger) -> None:
    net.answers[url("ann@good.test")] = jrd(ANN, "acct:ann@good.test")
    found = await webfinger.find(handle("ann@good.test"))
    assert (str(found.handle), found.actor, len(found.pages)) == ("ann@good.test", ANN, 1)
    (asked,) = net.asked
    assert dict(asked.headers)["accept"] == "application/jrd+json, application/json"
    assert "signature" not in dict(asked.headers)


@pytest.mark.parametrize("kind", [ACTIVITY_JSON, LD_JSON])
async def test_the_self_link_is_one_of_two_types(net: Network, webfinger: WebFinger, kind: str) -> None:
    net.answers[url("ann@good.test")] = jrd(ANN, kind=kind, media_type="application/json; charset=utf-8")
    assert (await webfinger.find(handle("ann@good.test"))).actor == ANN


@pytest.mark.parametrize(
    "answer",
    [
        *(jrd(ANN, kind=kind) for kind in ("text/html", "application/ld+json", "application/json", None, 1)),
        *(jrd(ANN, media_type=kind) for kind in ("text/html", ACTIVITY_JSON, "application/jrd+jsonx")),
        *(jrd(actor) for actor in ("", "ann", "javascript:alert(1)", "https://x:y@good.test/", "acct:ann@good.test")),
        *(response(body, "application/jrd+json") for body in (b"", b"[]", b"{}", b'{"links":{}}', b'{"links":[1]}')),
        response(b'{"a":' * 40 + b"1" + b"}" * 40, "application/jrd+json"),
        response(b'{"subject":"' + b"x" * 1_000_000 + b'"}', "application/jrd+json"),
    ],
)
async def test_what_is_no_jrd_with_an_actor_is_refused(net: Network, webfinger: WebFinger, answer: bytes) -> None:
    net.answers[url("ann@good.test")] = answer
    with pytest.raises(FetchRefused):
        await webfinger.find(handle("ann@good.test"))


async def test_the_subject_is_the_handle_when_its_host_agrees(net: Network, webfinger: WebFinger) -> None:
    net.answers[url("ann@slow.test")] = jrd(ANN, "acct:ann@good.test")
    net.answers[url("ann@good.test")] = jrd(ANN, "acct:ann@good.test")
    found = await webfinger.find(handle("ann@slow.test"))
    assert (str(found.handle), found.actor) == ("ann@good.test", ANN)
    assert [page.url for page in found.pages] == [url("ann@slow.test"), url("ann@good.test")]


@pytest.mark.parametrize(
    "answer",
    [
        jrd(ANN, "acct:ann@good.test"),  # names its own actor, not the attacker's
        jrd(MAL, "acct:other@good.test"),  # leads on
        response(b"", status=404),
    ],
)
async def test_nobody_can_take_another_hosts_handle(net: Network, webfinger: WebFinger, answer: bytes) -> None:
    net.answers[url("mal@evil.test")] = jrd(MAL, "acct:ann@good.test")
    net.answers[url("ann@good.test")] = answer
    with pytest.raises(FetchRefused):
        await webfinger.find(handle("mal@evil.test"))


async def test_a_subject_that_is_ours_is_never_asked(net: Network, webfinger: WebFinger) -> None:
    net.answers[url("mal@evil.test")] = jrd(MAL, "acct:alice@our.test")
    with pytest.raises(FetchRefused, match="Our own"):
        await webfinger.find(handle("mal@evil.test"))
    assert net.urls() == [url("mal@evil.test")]


async def test_subjects_that_lead_in_a_circle_are_followed_once(net: Network, webfinger: WebFinger) -> None:
    net.answers[url("a@evil.test")] = jrd(MAL, "acct:b@evil.test")
    net.answers[url("b@evil.test")] = jrd(MAL, "acct:a@evil.test")
    with pytest.raises(FetchRefused):
        await webfinger.find(handle("a@evil.test"))
    assert len(net.asked) == 2


async def test_redirects_are_followed_three_times_and_each_is_looked_at(net: Network, webfinger: WebFinger) -> None:
    asked, elsewhere = url("ann@good.test"), "https://slow.test/webfinger"
    net.answers[asked] = redirect(elsewhere)
    net.answers[elsewhere] = jrd(ANN, "acct:ann@good.test")
    found = await webfinger.find(handle("ann@good.test"))
    assert (found.pages[0].url, found.pages[0].final_url) == (asked, elsewhere)
    net.answers[elsewhere] = redirect(asked)
    net.asked.clear()
    with pytest.raises(FetchRefused):
        await webfinger.find(handle("ann@good.test"))
    assert len(net.asked) == 4


@pytest.mark.parametrize(
    "to", ["https://inside.test/x", "http://good.test/x", "file:///etc/passwd", "//evil.test:22/x", "https://our.test/"]
)
async def test_redirects_to_what_is_not_fetched_are_refused(net: Network, webfinger: WebFinger, to: str) -> None:
    net.names["inside.test"] = [["127.0.0.1"]]
    net.answers[url("ann@good.test")] = redirect(to)
    with pytest.raises(FetchRefused):
        await webfinger.find(handle("ann@good.test"))
    assert len(net.dialled) == 1


async def test_a_host_of_a_private_address_is_not_asked(net: Network, webfinger: WebFinger) -> None:
    net.names["good.test"] = [["192.168.1.1"]]
    with pytest.raises(FetchRefused):
        await webfinger.find(handle("ann@good.test"))
    assert net.dialled == []


HOST_META = '<XRD><Link rel="x" template="https://evil.test/?q={uri}"/><Link rel="lrdd" template="%s"/></XRD>'


async def test_host_metadata_says_where_when_there_is_nothing_at_the_usual_place(
    net: Network, webfinger: WebFinger
) -> None:
    meta = (HOST_META % "https://slow.test/wf?a=1&amp;q={uri}").encode()
    net.answers["https://good.test/.well-known/host-meta"] = response(meta, "application/xrd+xml; charset=utf-8")
    net.answers["https://slow.test/wf?a=1&q=acct%3Aann%40good.test"] = jrd(ANN, "acct:ann@good.test")
    found = await webfinger.find(handle("ann@good.test"))
    assert (found.actor, found.pages[0].url) == (ANN, url("ann@good.test"))


@pytest.mark.parametrize(
    "meta",
    [
        *(HOST_META % template for template in ("https://slow.test/wf", "file:///{uri}", "https://our.test/{uri}")),
        HOST_META % "https://good.test/.well-known/webfinger?resource={uri}",
        *("", "<Link " * 100_000, "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><XRD>&a;</XRD>"),
    ],
)
async def test_host_metadata_that_leads_nowhere_is_refused(net: Network, webfinger: WebFinger, meta: str) -> None:
    net.answers["https://good.test/.well-known/host-meta"] = response(meta.encode(), "application/xrd+xml")
    with pytest.raises(FetchRefused):
        await webfinger.find(handle("ann@good.test"))


@pytest.mark.parametrize(("status", "error"), [(410, FetchGone), (503, FetchFailed), (401, FetchRefused)])
async def test_host_metadata_is_asked_on_404_alone(
    net: Network, webfinger: WebFinger, status: int, error: type[Exception]
) -> None:
    net.answers[url("ann@good.test")] = response(b"", status=status)
    with pytest.raises(error):
        await webfinger.find(handle("ann@good.test"))
    assert len(net.asked) == 1


def test_an_actor_says_its_handle_or_is_called_by_its_own_host() -> None:
    named = {"preferredUsername": "ann", "webfinger": "ann@elsewhere.test"}
    assert handle_of(named, ANN) == Handle("ann", "elsewhere.test")
    assert handle_of({"preferredUsername": "ann"}, ANN) == Handle("ann", "good.test")
    assert handle_of({"preferredUsername": "a b"}, ANN) is None
