"""Who may see what, through every door there is."""

import pytest

from tests.adapters.interpreter.peers import actor, create, fetched, received
from tests.api.mastodon.world import PUBLIC, Person, World

pytestmark = pytest.mark.anyio

DOORS = ("show", "several", "account", "home", "public", "local")


async def seen_through(person: Person, door: str, author: Person, status: str) -> bool:
    path, params = {
        "show": (f"/api/v1/statuses/{status}", {}),
        "several": ("/api/v1/statuses", {"id[]": status}),
        "account": (f"/api/v1/accounts/{author.id}/statuses", {}),
        "home": ("/api/v1/timelines/home", {}),
        "public": ("/api/v1/timelines/public", {}),
        "local": ("/api/v1/timelines/public", {"local": "true"}),
    }[door]
    answer = await person.raw("GET", path, params=params)
    if answer.status_code in (401, 404):
        assert answer.json()["error"]
        return False
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return status in [one["id"] for one in (found if isinstance(found, list) else [found])]


# Who sees which kind through which doors; a mentioned stranger has no way to a list but the author's.
EVERYWHERE = {"show", "several", "account"}
SEEN = {
    "public": {
        "author": {*EVERYWHERE, "home", "public", "local"},
        "follower": {*EVERYWHERE, "home", "public", "local"},
        "mentioned": {*EVERYWHERE, "public", "local"},
        "stranger": {*EVERYWHERE, "public", "local"},
        "anybody": {*EVERYWHERE, "public", "local"},
    },
    "unlisted": {
        "author": {*EVERYWHERE, "home"},
        "follower": {*EVERYWHERE, "home"},
        "mentioned": EVERYWHERE,
        "stranger": EVERYWHERE,
        "anybody": EVERYWHERE,
    },
    "private": {
        "author": {*EVERYWHERE, "home"},
        "follower": {*EVERYWHERE, "home"},
        "mentioned": EVERYWHERE,
        "stranger": set(),
        "anybody": set(),
    },
    "direct": {
        "author": {*EVERYWHERE, "home"},
        "follower": set(),
        "mentioned": EVERYWHERE,
        "stranger": set(),
        "anybody": set(),
    },
}


@pytest.mark.parametrize("kind", SEEN)
async def test_each_kind_is_seen_by_those_it_is_for_and_by_nobody_else(world: World, kind: str) -> None:
    people = {name: await world.person(name) for name in ("author", "follower", "mentioned", "stranger")}
    await people["follower"].follow(people["author"])
    await world.settled()
    status = await people["author"].post("for @mentioned", visibility=kind)
    await world.settled()
    for name, person in {**people, "anybody": world.anybody()}.items():
        seen = {door for door in DOORS if await seen_through(person, door, people["author"], status["id"])}
        assert seen == SEEN[kind][name], (kind, name)


async def test_unfollowing_hides_the_past_at_once_and_following_again_shows_it(world: World) -> None:
    bob, alice = await world.person("bob"), await world.person("alice")
    await bob.follow(alice)
    await world.settled()
    private = (await alice.post("for my followers", visibility="private"))["id"]
    public = (await alice.post("for all"))["id"]
    await world.settled()
    assert await bob.home() == [public, private]
    await bob.unfollow(alice)
    assert await bob.home() == []
    assert not await bob.sees(private)
    await bob.follow(alice)
    assert await bob.home() == [public, private]
    assert await bob.sees(private)


async def test_a_deleted_status_is_seen_by_nobody(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await bob.follow(alice)
    await world.settled()
    status = (await alice.post("soon gone"))["id"]
    await alice.ask("DELETE", f"/api/v1/statuses/{status}")
    await world.settled()
    for person in (alice, bob, world.anybody()):
        for door in DOORS:
            assert not await seen_through(person, door, alice, status), door


async def test_home_leaves_out_answers_to_people_one_does_not_follow(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    await bob.follow(alice)
    await world.settled()
    of_carol, of_bob = (await carol.post("a"))["id"], (await bob.post("b"))["id"]
    await world.settled()
    own = (await alice.post("c"))["id"]
    to_carol = (await alice.post("@carol c1", in_reply_to_id=of_carol))["id"]
    to_bob = (await alice.post("@bob c2", in_reply_to_id=of_bob))["id"]
    to_herself = (await alice.post("c3", in_reply_to_id=own))["id"]
    await world.settled()
    assert await bob.home() == [to_herself, to_bob, own, of_bob]
    assert await alice.home() == [to_herself, to_bob, to_carol, own]
    await bob.follow(carol)
    assert to_carol in await bob.home()


async def test_a_remote_direct_note_is_for_those_it_is_addressed_to(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    ann = "https://far.test/u/ann"
    note = f"{ann}/1"
    to_alice = f"http://localhost:3000/ap/users/{alice.id}"
    await world.hear(
        fetched(ann, actor(ann)),
        received(ann, create(note, ann, to=[to_alice])),
        received(ann, create(f"{ann}/2", ann, to=[PUBLIC])),
    )
    account = await alice.get("/api/v1/accounts/lookup", acct="ann@far.test")
    seen_by = {
        person.name: {status["uri"] for status in await person.get(f"/api/v1/accounts/{account['id']}/statuses")}
        for person in (alice, bob, world.anybody())
    }
    assert seen_by == {"alice": {f"{ann}/2", note}, "bob": {f"{ann}/2"}, "": {f"{ann}/2"}}
