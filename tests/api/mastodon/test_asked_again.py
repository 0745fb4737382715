"""A page that is asked for again comes from memory: to whom it is meant for, and for as long as it is true."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from api.app import create_app
from domain.post import CHARACTERS_MAX
from tests.adapters.interpreter.peers import actor, answer, create, fetched, received
from tests.api.mastodon.world import ORIGIN, Person, World

pytestmark = pytest.mark.anyio
PATIENCE_S = 10
HOME = "/api/v1/timelines/home"
PUBLIC = "/api/v1/timelines/public"
DOCUMENT = {"Accept": "application/activity+json"}


async def eventually(holds: Callable[[], bool], world: World) -> None:
    """Return when it holds: something is told by another connection than the one that is waited for."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await world.server.reads.caught_up(10**12, 0.02)


async def kept(world: World, person: Person, path: str) -> bool:
    """Whether an answer comes from memory."""
    before = world.server.pages.found
    assert (await person.raw("GET", path, headers=DOCUMENT)).status_code == 200
    return world.server.pages.found > before


async def ready(world: World) -> None:
    """Wait until tokens are remembered and writes are heard of, without which nothing is kept for people."""
    known = world.server.positions

    async with asyncio.timeout(PATIENCE_S):
        while True:
            await known.remember(10**9, world.server.epoch, 1)
            if known.known(10**9, world.server.epoch) is not None:
                return
            await world.server.reads.caught_up(10**12, 0.02)


async def test_what_is_asked_for_again_comes_from_memory_until_it_changes(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await ready(world)
    status = await alice.post("Hello")
    await world.settled()
    paths = [HOME, PUBLIC, f"/api/v1/accounts/{alice.id}", f"/api/v1/accounts/{alice.id}/statuses"]
    paths += [f"/api/v1/statuses/{status['id']}", f"/api/v1/statuses/{status['id']}/context"]
    for path in paths:
        first = await alice.raw("GET", path)
        assert await kept(world, alice, path), path
        again = await alice.raw("GET", path)
        assert (first.text, first.headers["etag"]) == (again.text, again.headers["etag"])
        assert first.headers.get("link") == again.headers.get("link")
        assert again.headers["cache-control"] == "private, no-store"
    await bob.ask("POST", f"/api/v1/statuses/{status['id']}/favourite")
    await world.settled()
    assert not await kept(world, alice, HOME)
    assert (await alice.get(HOME))[0]["favourites_count"] == 1
    assert await kept(world, alice, paths[2])


async def test_a_boost_by_somebody_of_whom_nothing_shows_yet_comes_into_a_kept_home(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    await ready(world)
    await alice.follow(bob)
    own, other = (await alice.post("Mine"))["id"], (await carol.post("Hers"))["id"]
    await world.settled()
    assert await alice.home() == [own]
    boost = (await bob.ask("POST", f"/api/v1/statuses/{other}/reblog"))["id"]
    await world.settled()
    assert await alice.home() == [boost, own]
    await bob.ask("POST", f"/api/v1/statuses/{other}/unreblog")
    await world.settled()
    assert await alice.home() == [own]


async def test_whoever_is_followed_from_now_on_comes_into_a_kept_home(world: World) -> None:
    alice, carol = await world.person("alice"), await world.person("carol")
    await ready(world)
    own = (await alice.post("Mine"))["id"]
    await world.settled()
    assert await alice.home() == [own]
    await alice.follow(carol)
    await world.settled()
    assert await alice.home() == [own]
    hers = (await carol.post("Hers"))["id"]
    await world.settled()
    assert await alice.home() == [hers, own]


async def test_an_answer_whose_kept_page_names_what_it_answers_does_so_until_that_is_deleted(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await ready(world)
    above = (await alice.post("Above"))["id"]
    await world.settled()
    below = (await bob.post("Below", in_reply_to_id=above))["id"]
    await world.settled()
    path = f"/api/v1/statuses/{below}"
    assert (await bob.get(path))["in_reply_to_id"] == above
    assert await kept(world, bob, path)
    await alice.ask("DELETE", f"/api/v1/statuses/{above}")
    await world.settled()
    assert (await bob.get(path))["in_reply_to_id"] is None


async def test_an_answer_comes_into_a_kept_home_when_what_it_answers_arrives(world: World) -> None:
    alice = await world.person("alice")
    await ready(world)
    ann, name = "https://far.test/u/ann", "ann@far.test"
    await world.hear(fetched(ann, actor(ann)))
    number = (await alice.get("/api/v1/accounts/lookup", acct=name))["id"]
    await alice.ask("POST", f"/api/v1/accounts/{number}/follow")
    await world.settled()
    rows = await world.server.reads.view().execute("SELECT request FROM follows", [])
    await world.hear(received(ann, answer("Accept", ann, rows[0][0])))
    above, below = f"{ann}/1", f"{ann}/2"
    await world.hear(received(ann, create(below, ann, inReplyTo=above)))
    assert await alice.home() == []
    assert len(await alice.get(PUBLIC)) == 0
    await world.hear(received(ann, create(above, ann)))
    assert len(await alice.home()) == len(await alice.get(PUBLIC)) == 2


@pytest.mark.parametrize("visibility", ["direct", "private"])
async def test_an_answer_that_does_not_count_comes_into_a_kept_thread(world: World, visibility: str) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await ready(world)
    asked = await alice.post("@bob Between us?", visibility="direct")
    await world.settled()
    thread = f"/api/v1/statuses/{asked['id']}/context"
    assert (await bob.ask("GET", thread))["descendants"] == []
    assert await kept(world, bob, thread)
    said = await bob.post("@alice Yes", visibility=visibility, in_reply_to_id=asked["id"])
    await world.settled()
    assert [one["id"] for one in (await bob.ask("GET", thread))["descendants"]] == [said["id"]]


async def test_documents_for_peers_come_from_memory_signed_or_not(world: World) -> None:
    number = await world.server.accounts.create("keyed", None, "a password for tests")
    await world.settled()
    anybody = world.anybody()
    name = f"{ORIGIN.removeprefix('http://')}"
    for path in (f"/ap/users/{number}", f"/.well-known/webfinger?resource=acct:keyed@{name}"):
        assert not await kept(world, anybody, path)
        assert await kept(world, anybody, path)
    before = world.server.pages.found
    signed = {**DOCUMENT, "Signature": 'keyId="https://far.test/u/ann#key",signature="bm9uZQ=="'}
    actor_document = await anybody.raw("GET", f"/ap/users/{number}", headers=signed)
    assert actor_document.json()["preferredUsername"] == "keyed"
    assert world.server.pages.found == before + 1
    page = await anybody.raw("GET", f"/ap/users/{number}", headers={"Accept": "text/html"})
    assert page.status_code == 302


async def test_an_author_is_kept_for_their_next_post_until_anything_changes_about_them(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.settled()
    asked = ("author", alice.number)
    # What is posted touches its author; what is refused does not, and has looked them up all the same.
    await alice.ask("POST", "/api/v1/statuses", 422, json={"status": "x" * (CHARACTERS_MAX + 1)})
    assert world.server.pages.find(asked) is not None
    await world.rename(alice, "Alice A.")
    await bob.follow(alice)
    await world.settled()
    assert world.server.pages.find(asked) is None
    for number in (1, 2):
        author = (await alice.post("Hello"))["account"]
        assert (author["display_name"], author["followers_count"]) == ("Alice A.", 1)
        assert author["statuses_count"] == number
        await world.settled()


async def test_a_client_that_has_the_page_is_told_so_until_it_changes(world: World) -> None:
    alice = await world.person("alice")
    await ready(world)
    await alice.post("Hello")
    await world.settled()
    first = await alice.raw("GET", HOME)
    for held in (first.headers["etag"], f'"other", {first.headers["etag"]}', "*"):
        again = await alice.raw("GET", HOME, headers={"If-None-Match": held})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert "content-type" not in again.headers
    other = await alice.raw("GET", HOME, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.text) == (200, first.text)
    head = await alice.raw("HEAD", HOME)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])
    await alice.post("Hello again")
    await world.settled()
    changed = await alice.raw("GET", HOME, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200 and changed.headers["etag"] != first.headers["etag"]


async def test_nobody_gets_anothers_page(world: World) -> None:
    alice, bob, eve = await world.person("alice"), await world.person("bob"), await world.person("eve")
    await ready(world)
    await bob.follow(alice)
    private = (await alice.post("For followers", visibility="private"))["id"]
    public = (await alice.post("For all"))["id"]
    await world.settled()
    await bob.ask("POST", f"/api/v1/statuses/{public}/bookmark")
    await world.settled()
    paths = [f"/api/v1/statuses/{public}", PUBLIC, f"/api/v1/accounts/{alice.id}/statuses", HOME]
    for _ in range(2):
        for path in paths:
            seen = {person.name: (await person.raw("GET", path)) for person in (alice, bob, eve, world.anybody())}
            assert ("pinned" in seen["alice"].text) and "pinned" not in seen["bob"].text
            assert '"bookmarked":true' in seen["bob"].text
            assert '"bookmarked":true' not in seen["alice"].text + seen["eve"].text + seen[""].text
            assert "favourited" not in seen[""].text
            assert "For followers" not in seen["eve"].text + seen[""].text
            assert seen[""].status_code == (401 if path == HOME else 200)
        assert (await bob.raw("GET", f"/api/v1/statuses/{private}")).status_code == 200
        for person in (eve, world.anybody()):
            assert (await person.raw("GET", f"/api/v1/statuses/{private}")).status_code == 404
    await world.block(alice, bob.number)
    for path in (f"/api/v1/statuses/{public}", f"/api/v1/statuses/{private}"):
        assert (await bob.raw("GET", path)).status_code == 404
    assert "For all" not in (await bob.raw("GET", HOME)).text


async def test_a_token_gets_no_page_that_its_scopes_do_not_allow(world: World) -> None:
    alice = await world.person("alice")
    await ready(world)
    await alice.post("Hello")
    await world.settled()
    narrow = await world.token(alice.number, "read:accounts")
    other = await world.token(alice.number)
    for path in (HOME, PUBLIC):
        for _ in range(2):
            assert (await alice.raw("GET", path)).status_code == 200
            for _ in range(2):
                assert (await world.anybody().raw("GET", path, headers=narrow)).status_code == 403
        # The same person by another token that may as much: it is theirs, once what it wrote is known.
        assert (await world.anybody().raw("GET", path, headers=other)).status_code == 200
        before = world.server.pages.found
        assert (await world.anybody().raw("GET", path, headers=other)).status_code == 200
        assert world.server.pages.found > before


async def test_a_revoked_token_gets_no_page(world: World) -> None:
    alice = await world.person("alice")
    await ready(world)
    await alice.post("Hello")
    await world.settled()
    await alice.get(HOME)
    assert await kept(world, alice, HOME)
    remembered = len(world.server.tokens)
    async with world.server.pool.connection() as connection:
        await connection.execute("UPDATE app.access_tokens SET revoked_at = now()")
    # As soon as the announcement is heard, which is all that tokens promise.
    await eventually(lambda: len(world.server.tokens) < remembered, world)
    for path in (HOME, PUBLIC):
        assert (await alice.raw("GET", path)).status_code == 401


async def test_people_read_what_they_wrote_whatever_is_kept(world: World) -> None:
    alice = await world.person("alice")
    await ready(world)
    for number in range(20):
        await alice.get(HOME)
        status = await alice.post(f"Post {number}")
        assert (await alice.get(HOME))[0]["id"] == status["id"]
        await alice.ask("POST", f"/api/v1/statuses/{status['id']}/favourite")
        assert (await alice.get(f"/api/v1/statuses/{status['id']}"))["favourited"] is True


async def test_who_wrote_what_can_not_be_read_yet_is_told_so_instead_of_getting_the_kept_page(world: World) -> None:
    alice = await world.person("alice")
    await ready(world)
    await alice.get(HOME)
    assert await kept(world, alice, HOME)
    bearer = world.server.tokens.known(alice.authorization["Authorization"].removeprefix("Bearer "))
    assert bearer is not None
    head, epoch = await world.server.reads.head()
    await world.server.positions.remember(bearer.id, epoch, head + 3)
    for _ in range(2):
        behind = await alice.raw("GET", HOME)
        assert behind.headers["daybook-behind"] == "3"


async def test_a_request_with_a_body_gets_what_it_asks_for(world: World) -> None:
    alice = await world.person("alice")
    await ready(world)
    for number in range(3):
        await alice.post(f"Post {number}", visibility="unlisted")
        await alice.post(f"Public {number}")
    await world.settled()
    assert len(await alice.get(PUBLIC)) == 3
    await world.hear(fetched("https://far.test/u/ann", actor("https://far.test/u/ann")))
    assert len(await alice.get(PUBLIC)) == 3
    assert await alice.ask("GET", PUBLIC, json={"remote": True}) == []
    assert len(await alice.get(PUBLIC)) == 3


async def test_an_answer_from_memory_counts_for_the_route_that_made_it(world: World) -> None:
    await world.settled()
    routes: list[tuple[str, str, int]] = []
    app = create_app(world.server, [lambda method, route, status, *_: routes.append((method, route, status))])
    transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        for _ in range(2):
            assert (await client.get(PUBLIC)).status_code == 200
    assert world.server.pages.found == 1
    assert routes == [("GET", PUBLIC, 200)] * 2
