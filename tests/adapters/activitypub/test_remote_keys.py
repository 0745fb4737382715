"""Whose key is it? Only the actor's own document says so, and it is asked for as seldom as can be."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.activitypub.fetch import FetchLimits
from adapters.activitypub.remote_keys import (
    FETCHES_PER_HOST_MAX,
    ActorGone,
    KeyProblem,
    KeyRefused,
    KeyUnavailable,
    RemoteKeys,
)
from tests.adapters.activitypub.fetch_peers import AS2, Clock, Network, fetching, network, redirect, response
from tests.contracts.key_store import MemoryKeyStore

pytestmark = pytest.mark.anyio

ANN = "https://good.test/u/ann"
MAIN = f"{ANN}#main-key"
STUB = f"{ANN}/main-key"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@cache
def pem(name: str) -> str:
    """A public key for each name."""
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def key(key_id: str = MAIN, owner: str = ANN, name: str = "one") -> dict[str, str]:
    return {"id": key_id, "owner": owner, "publicKeyPem": pem(name)}


def actor(public_key: object, id_: str = ANN, type_: object = "Person", **more: Any) -> bytes:
    """A response with an actor's document."""
    return response(msgspec.json.encode({"@context": AS2, "id": id_, "type": type_, "publicKey": public_key, **more}))


class Case:
    """What a test holds: the network, the store, the clock, and the keys in question."""

    def __init__(self, net: Network, keys: RemoteKeys, store: MemoryKeyStore, clock: Clock) -> None:
        self.net, self.keys, self.store, self.clock = net, keys, store, clock


@contextlib.asynccontextmanager
async def case(tmp_path: Path, limits: FetchLimits | None = None) -> AsyncIterator[Case]:
    clock, store = Clock(), MemoryKeyStore()
    async with network(tmp_path) as net, fetching(net, clock=clock, limits=limits) as fetcher:
        keys = RemoteKeys(fetcher, store, clock=clock)
        yield Case(net, keys, store, clock)
        await keys.aclose()


async def test_a_key_in_its_actors_document_is_found_stored_and_remembered(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(key())

        found = await it.keys.find(MAIN)

        assert (found.key_id, found.actor) == (MAIN, ANN)
        assert await it.keys.find(MAIN) is found
        assert it.net.urls() == [ANN]
        assert it.store.keys[MAIN].pem == pem("one")
        assert [msgspec.json.decode(body)["id"] for body in it.store.bodies[ANN]] == [ANN]


async def test_a_stored_key_is_found_without_asking_anybody(tmp_path: Path) -> None:
    async with case(tmp_path) as first, case(tmp_path) as second:
        first.net.answers[ANN] = actor(key())
        second.store.keys = first.store.keys
        found = await first.keys.find(MAIN)
        second.store.keys = first.store.keys
        assert await second.keys.find(MAIN) == found
        assert second.net.asked == []


async def test_s20_a_stub_at_a_url_of_its_own_leads_to_its_owner(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[STUB] = actor(key(STUB), preferredUsername="ann")
        it.net.answers[ANN] = actor(key(STUB), inbox=f"{ANN}/inbox")

        assert (await it.keys.find(STUB)).actor == ANN

        assert it.net.urls() == [STUB, ANN]
        assert "inbox" in msgspec.json.decode(it.store.bodies[ANN][0])


@pytest.mark.parametrize("field", ["owner", "controller"])
async def test_a_bare_key_document_leads_to_its_owner(tmp_path: Path, field: str) -> None:
    bare = {"@context": AS2, "id": STUB, "type": "Key", field: ANN, "publicKeyPem": pem("one")}
    async with case(tmp_path) as it:
        it.net.answers[STUB] = response(msgspec.json.encode(bare))
        it.net.answers[ANN] = actor(key(STUB))
        assert (await it.keys.find(STUB)).actor == ANN
        assert list(it.store.bodies) == [ANN]


@pytest.mark.parametrize("listed", [key(), key(STUB, name="two"), None, []], ids=["other id", "other PEM", "none", "0"])
async def test_a_bare_key_that_its_owner_does_not_list_is_refused(tmp_path: Path, listed: object) -> None:
    bare = {"@context": AS2, "id": STUB, "owner": ANN, "publicKeyPem": pem("one")}
    async with case(tmp_path) as it:
        it.net.answers[STUB] = response(msgspec.json.encode(bare))
        it.net.answers[ANN] = actor(listed)
        with pytest.raises(KeyRefused):
            await it.keys.find(STUB)
        assert STUB not in it.store.keys


async def test_s21_the_actors_id_may_stand_for_its_only_key(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(key())
        found = await it.keys.find(ANN)
        assert (found.key_id, found.actor) == (ANN, ANN)
        assert set(it.store.keys) == {ANN, MAIN}


async def test_s21_but_not_for_one_of_two(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor([key(), key(f"{ANN}#second", name="two")])
        with pytest.raises(KeyRefused):
            await it.keys.find(ANN)


async def test_s21_a_key_id_may_have_a_query(tmp_path: Path) -> None:
    id_ = "https://good.test/actor?id=1"
    async with case(tmp_path) as it:
        it.net.answers[id_] = actor(key(f"{id_}#key", id_), id_)
        assert (await it.keys.find(f"{id_}#key")).actor == id_


@pytest.mark.parametrize(
    "key_id", ["acct:ann@good.test", "did:key:z6Mk", "http://good.test/u#k", "https://a@good.test/"]
)
async def test_s21_a_key_id_that_is_no_https_url_is_refused(tmp_path: Path, key_id: str) -> None:
    async with case(tmp_path) as it:
        with pytest.raises(KeyRefused):
            await it.keys.find(key_id)
        assert it.net.dialled == []


async def test_s16_a_key_that_names_an_owner_elsewhere_is_refused(tmp_path: Path) -> None:
    evil = "https://evil.test/k"
    async with case(tmp_path) as it:
        it.net.answers[evil] = response(
            msgspec.json.encode({"@context": AS2, "id": evil, "owner": ANN, "publicKeyPem": pem("evil")})
        )
        with pytest.raises(KeyRefused, match="origin"):
            await it.keys.find(evil)
        assert it.net.urls() == [evil]


async def test_s17_a_key_in_a_document_of_another_actor_is_refused(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(key(owner="https://good.test/u/bea"))
        it.net.answers["https://good.test/u/bea"] = actor(key("https://good.test/u/bea#k"), "https://good.test/u/bea")
        with pytest.raises(KeyRefused):
            await it.keys.find(MAIN)
        assert MAIN not in it.store.keys


@pytest.mark.parametrize("type_", ["Note", None, ["Note", "Image"]])
async def test_a_document_that_is_no_actor_has_no_keys(tmp_path: Path, type_: object) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(key(), type_=type_)
        with pytest.raises(KeyRefused, match="actor"):
            await it.keys.find(MAIN)
        assert it.store.keys == {}


async def test_i01_a_document_on_another_host_lends_nobody_a_key(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers["https://evil.test/x"] = actor(key("https://evil.test/x#k", name="evil"))
        it.net.answers[ANN] = actor(key())
        with pytest.raises(KeyRefused):
            await it.keys.find("https://evil.test/x#k")
        assert {stored.pem for stored in it.store.keys.values()} <= {pem("one")}


async def test_s22_a_rotated_key_is_found_by_asking_again(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(key())
        old = await it.keys.find(MAIN)
        it.net.answers[ANN] = actor(key(name="two"))

        new = await it.keys.refetch(old)

        assert new is not None and new.der != old.der
        assert await it.keys.find(MAIN) is new
        assert await it.keys.refetch(old) is new, "whoever still held the old one gets the new one at once"
        assert len(it.net.asked) == 2
        assert len(it.store.bodies[ANN]) == 2


async def test_s23_a_hundred_bad_signatures_ask_the_actor_once_in_five_minutes(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(key())
        held = await it.keys.find(MAIN)
        for _ in range(100):
            assert await it.keys.refetch(held) is None
        assert len(it.net.asked) == 2
        it.clock.forward(minutes=5)
        assert await it.keys.refetch(held) is None
        assert len(it.net.asked) == 3


async def test_a_key_that_the_actor_withdrew_is_forgotten(tmp_path: Path) -> None:
    second = f"{ANN}#second"
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor([key(), key(second, name="two")])
        await it.keys.find(second)
        held = await it.keys.find(MAIN)
        it.net.answers[ANN] = actor(key(name="three"))
        await it.keys.refetch(held)
        with pytest.raises(KeyRefused):
            await it.keys.find(second)


async def test_s24_a_host_that_times_out_is_unavailable_and_left_alone(tmp_path: Path) -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with case(tmp_path, FetchLimits(read_s=0.1)) as it:
        it.net.answers["https://slow.test/1"] = silence
        for number in (1, 1, 2):
            with pytest.raises(KeyUnavailable):
                await it.keys.find(f"https://slow.test/{number}#k")
        assert len(it.net.dialled) == 1


async def test_s25_a_key_that_leads_into_our_own_network_is_refused_without_a_connection(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.names["inside.test"] = [["127.0.0.1"]]
        it.net.answers["https://evil.test/k"] = redirect("https://inside.test:8443/latest/meta-data")
        for key_id in ("https://inside.test/k", "https://127.0.0.1/k", "https://evil.test/k"):
            it.net.names.setdefault("127.0.0.1", [["127.0.0.1"]])
            with pytest.raises(KeyRefused):
                await it.keys.find(key_id)
        assert it.net.urls() == ["https://evil.test/k"]


async def test_s26_only_ten_keys_of_an_actor_are_looked_at(tmp_path: Path) -> None:
    many = [key(f"{ANN}#{number}") for number in range(1000)]
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(many)
        assert await it.keys.find(f"{ANN}#9")
        assert len(it.store.keys) == 10
        with pytest.raises(KeyRefused):
            await it.keys.find(f"{ANN}#10")


async def test_s26_a_weak_or_broken_key_is_refused_and_the_good_ones_beside_it_kept(tmp_path: Path) -> None:
    broken = {"id": f"{ANN}#bad", "owner": ANN, "publicKeyPem": "-----BEGIN PUBLIC KEY-----\nAAAA\n"}
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor([broken, key(), {"id": 1}, None, "text", key("https://evil.test/k")])
        assert await it.keys.find(MAIN)
        assert set(it.store.keys) == {MAIN}
        with pytest.raises(KeyRefused):
            await it.keys.find(f"{ANN}#bad")


@pytest.mark.parametrize(("status", "problem"), [(410, ActorGone), (404, KeyRefused), (500, KeyUnavailable)])
async def test_s28_s29_what_the_peer_answers_for_a_key_tells_gone_from_absent(
    tmp_path: Path, status: int, problem: type[KeyProblem]
) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(key())
        held = await it.keys.find(MAIN)
        it.net.answers[ANN] = it.net.answers["https://good.test/u/bea"] = response(b"", status=status)
        with pytest.raises(problem):
            await it.keys.refetch(held)
        for _ in range(3):
            with pytest.raises(problem):
                await it.keys.find("https://good.test/u/bea#k")
        assert len(it.net.asked) == 3, "a failure is remembered"
        assert await it.keys.find(MAIN) is held, "a known key stays until another takes its place"


async def test_a_failure_is_forgotten_after_five_minutes(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        with pytest.raises(KeyRefused):
            await it.keys.find(MAIN)
        it.net.answers[ANN] = actor(key())
        it.clock.forward(minutes=5)
        assert await it.keys.find(MAIN)


async def test_asking_for_keys_that_nobody_has_does_not_hide_a_new_one(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor([key(), key(f"{ANN}#new", name="two")])
        with pytest.raises(KeyRefused):
            await it.keys.find(f"{ANN}#bogus")
        with pytest.raises(KeyRefused):
            await it.keys.find(f"{ANN}#bogus2")
        assert await it.keys.find(f"{ANN}#new")
        assert len(it.net.asked) == 1


async def test_many_who_wait_for_one_key_share_one_fetch(tmp_path: Path) -> None:
    async with case(tmp_path) as it:
        it.net.answers[ANN] = actor(key())
        found = await asyncio.gather(*(it.keys.find(MAIN) for _ in range(50)))
        assert len({id(each) for each in found}) == 1
        assert len(it.net.asked) == 1


async def test_whoever_hangs_up_does_not_take_the_others_answer_away(tmp_path: Path) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(writer: asyncio.StreamWriter) -> None:
        reached.set()
        await go_on.wait()
        writer.write(actor(key()))
        await writer.drain()

    async with case(tmp_path) as it:
        it.net.answers[ANN] = hold
        first, second = (asyncio.create_task(it.keys.find(MAIN)) for _ in range(2))
        await reached.wait()
        first.cancel()
        go_on.set()
        assert (await second).actor == ANN


async def test_few_keys_of_one_host_are_fetched_at_a_time(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def hold(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(response(b"", status=404))
        await writer.drain()

    async with case(tmp_path) as it:
        urls = [f"https://evil.test/{number}" for number in range(FETCHES_PER_HOST_MAX + 5)]
        it.net.answers |= dict.fromkeys(urls, hold)
        asking = asyncio.gather(*(it.keys.find(url) for url in urls), return_exceptions=True)
        it.net.answers[ANN] = actor(key())
        assert await it.keys.find(MAIN), "other hosts are not held up"
        go_on.set()
        kinds = [type(problem) for problem in await asking]
        assert (kinds.count(KeyRefused), kinds.count(KeyUnavailable)) == (FETCHES_PER_HOST_MAX, 5)
