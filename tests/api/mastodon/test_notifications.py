"""What somebody is told of, and what they are told of no more."""

from typing import Any

import pytest

from domain.account import Profile
from tests.adapters.interpreter.peers import actor, create, fetched, note, received
from tests.api.mastodon.world import PUBLIC, Person, World

pytestmark = pytest.mark.anyio


async def told(person: Person, **params: Any) -> list[tuple[str, str, str | None]]:
    """Kind, whose, and about which status, the latest first."""
    found = await person.get("/api/v1/notifications", **params)
    return [(one["type"], one["account"]["username"], one.get("status", {}).get("id")) for one in found]


async def do(person: Person, path: str, **params: Any) -> Any:
    return await person.ask("POST", f"/api/v1/{path}", json=params)


async def test_each_kind_tells_whom_it_concerns_and_nobody_else(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await bob.follow(alice)
    await world.settled()
    post = (await alice.post("hello"))["id"]
    await world.settled()
    answer = (await bob.post("@alice hello", in_reply_to_id=post))["id"]
    await do(bob, f"statuses/{post}/favourite")
    await do(bob, f"statuses/{post}/reblog")
    await world.settled()
    expected = [
        ("reblog", "bob", post),
        ("favourite", "bob", post),
        ("mention", "bob", answer),
        ("follow", "bob", None),
    ]
    assert await told(alice) == expected
    assert await told(bob) == []
    await alice.ask("PUT", f"/api/v1/statuses/{post}", json={"status": "hello again"})
    await world.settled()
    assert await told(bob) == [("update", "alice", post)]
    (first, *_) = await alice.get("/api/v1/notifications")
    assert first["created_at"].endswith("Z") and first["status"]["content"] == "<p>hello again</p>"
    assert await alice.get(f"/api/v1/notifications/{first['id']}") == first
    await bob.get(f"/api/v1/notifications/{first['id']}", 404)


async def test_nobody_is_told_of_what_they_do_themselves(world: World) -> None:
    alice = await world.person("alice")
    post = (await alice.post("@alice hello"))["id"]
    await world.settled()
    for verb in ("favourite", "reblog"):
        await do(alice, f"statuses/{post}/{verb}")
    await alice.ask("PUT", f"/api/v1/statuses/{post}", json={"status": "hello again"})
    await world.settled()
    assert await told(alice) == []


async def test_what_is_taken_back_is_told_of_no_more(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    post = (await alice.post("hello"))["id"]
    await bob.follow(alice)
    await world.settled()
    mention = (await bob.post("@alice hello"))["id"]
    for verb in ("favourite", "reblog"):
        await do(bob, f"statuses/{post}/{verb}")
    await world.settled()
    assert len(await told(alice)) == 4
    for verb in ("unfavourite", "unreblog"):
        await do(bob, f"statuses/{post}/{verb}")
    await bob.unfollow(alice)
    await bob.ask("DELETE", f"/api/v1/statuses/{mention}")
    await world.settled()
    assert await told(alice) == []
    await do(bob, f"statuses/{post}/favourite")
    await world.settled()
    assert await told(alice) == [("favourite", "bob", post)]


async def test_a_request_is_told_of_until_it_is_answered(world: World) -> None:
    alice = await world.person("alice", Profile(locked=True))
    bob, carol = await world.person("bob"), await world.person("carol")
    await bob.follow(alice)
    await carol.follow(alice)
    await world.settled()
    assert await told(alice) == [("follow_request", "carol", None), ("follow_request", "bob", None)]
    await do(alice, f"follow_requests/{bob.id}/authorize")
    await do(alice, f"follow_requests/{carol.id}/reject")
    assert await told(alice) == [("follow", "bob", None)]


async def test_blocks_and_mutes_silence_and_their_undoing_gives_back(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    post = (await alice.post("hello"))["id"]
    await world.settled()
    await do(bob, f"statuses/{post}/favourite")
    mention = (await bob.post("@alice hello", in_reply_to_id=post))["id"]
    await world.settled()
    both = [("mention", "bob", mention), ("favourite", "bob", post)]
    assert await told(alice) == both
    await do(alice, f"accounts/{bob.id}/mute", notifications=False)
    assert await told(alice) == both
    await do(alice, f"accounts/{bob.id}/mute")
    assert await told(alice) == []
    await do(alice, f"accounts/{bob.id}/unmute")
    await do(alice, f"accounts/{bob.id}/block")
    assert await told(alice) == []
    await do(alice, f"accounts/{bob.id}/unblock")
    assert await told(alice) == both
    await do(alice, f"statuses/{post}/mute")
    assert await told(alice) == []
    await do(alice, f"statuses/{post}/unmute")
    assert await told(alice) == both


async def test_what_is_dismissed_or_cleared_is_gone_and_what_comes_later_is_not(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    for text in ("one", "two", "three"):
        await bob.post(f"@alice {text}")
    await world.settled()
    first, second, third = [one["id"] for one in await alice.get("/api/v1/notifications")]
    assert await do(alice, f"notifications/{second}/dismiss") == {}
    assert [one["id"] for one in await alice.get("/api/v1/notifications")] == [first, third]
    await alice.ask("POST", f"/api/v1/notifications/{second}/dismiss", 404)
    assert await do(alice, "notifications/clear") == {}
    assert await told(alice) == []
    later = (await bob.post("@alice four"))["id"]
    await world.settled()
    assert await told(alice) == [("mention", "bob", later)]


async def test_there_is_no_notification_with_the_highest_or_lowest_id(world: World) -> None:
    alice = await world.person("alice")
    for number in (2**63 - 1, 2**63 - 2, 0):
        await alice.get(f"/api/v1/notifications/{number}", 404)
        await alice.ask("POST", f"/api/v1/notifications/{number}/dismiss", 404)


async def test_kinds_and_people_are_chosen_and_pages_follow_each_other(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    for person in (bob, carol):
        await person.follow(alice)
        await person.post("@alice hello")
    await world.settled()
    kinds = [(kind, who) for kind, who, _ in await told(alice)]
    assert kinds == [("mention", "carol"), ("follow", "carol"), ("mention", "bob"), ("follow", "bob")]
    assert {kind for kind, *_ in await told(alice, **{"types[]": ["mention", "poll"]})} == {"mention"}
    assert {kind for kind, *_ in await told(alice, **{"exclude_types[]": ["mention"]})} == {"follow"}
    assert await told(alice, **{"types[]": "poll"}) == []
    assert {who for _, who, _ in await told(alice, account_id=bob.id)} == {"bob"}
    assert await told(alice, account_id="nobody") == []
    page = await alice.raw("GET", "/api/v1/notifications", params={"limit": 3})
    following = page.headers["link"].split(">")[0].removeprefix("<")
    rest = await alice.raw("GET", following)
    assert len(page.json()) == 3 and [one["type"] for one in rest.json()] == ["follow"]
    ids = [int(one["id"]) for one in [*page.json(), *rest.json()]]
    assert ids == sorted(ids, reverse=True)
    (oldest,) = rest.json()
    newer = await alice.get("/api/v1/notifications", min_id=oldest["id"], limit=1)
    assert [one["id"] for one in newer] == [page.json()[-1]["id"]]


async def test_the_unread_are_those_after_the_marker(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    for number in range(3):
        await bob.post(f"@alice {number}")
    await world.settled()
    path = "/api/v1/notifications/unread_count"
    assert await alice.get(path) == {"count": 3}
    assert await alice.get(path, limit=2) == {"count": 2}
    _, second, _ = await alice.get("/api/v1/notifications")
    await do(alice, "markers", notifications={"last_read_id": second["id"]})
    assert await alice.get(path) == {"count": 1}
    assert await alice.get(path, **{"types[]": "follow"}) == {"count": 0}


async def test_a_remote_mention_tells_and_its_direct_post_is_read_there(world: World) -> None:
    alice, ann = await world.person("alice"), "https://far.test/u/ann"
    to_alice = f"http://localhost:3000/ap/users/{alice.id}"
    tag = [{"type": "Mention", "href": to_alice, "name": "@alice@localhost:3000"}]
    await world.hear(
        fetched(ann, actor(ann)),
        received(ann, create(f"{ann}/1", ann, to=[to_alice], tag=tag)),
        received(ann, create(f"{ann}/2", ann, to=[PUBLIC])),
    )
    (one,) = await alice.get("/api/v1/notifications")
    assert (one["type"], one["account"]["acct"], one["status"]["uri"]) == ("mention", "ann@far.test", f"{ann}/1")
    assert one["status"]["visibility"] == "direct"


async def test_a_post_that_was_only_fetched_tells_nobody_until_it_is_delivered(world: World) -> None:
    alice, ann = await world.person("alice"), "https://far.test/u/ann"
    tag = [{"type": "Mention", "href": f"http://localhost:3000/ap/users/{alice.id}", "name": "@alice@localhost:3000"}]
    await world.hear(fetched(ann, actor(ann)), fetched(f"{ann}/1", note(f"{ann}/1", ann, tag=tag)))
    assert await told(alice) == []
    await world.hear(received(ann, create(f"{ann}/1", ann, tag=tag)))
    assert [(kind, who) for kind, who, _ in await told(alice)] == [("mention", "ann")]
