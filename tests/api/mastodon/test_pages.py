"""Pages of statuses: bounds, order, links, and short pages that go on."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from projections.status_queries import SCAN_MAX
from tests.api.mastodon.world import Person, World

pytestmark = pytest.mark.anyio

HOME = "/api/v1/timelines/home"


def links(answer: httpx.Response) -> dict[str, dict[str, list[str]]]:
    """The query of each link by its relation."""
    return {name: parse_qs(urlsplit(link["url"]).query) for name, link in answer.links.items()}


async def posted(author: Person, count: int, **more: str) -> list[str]:
    """The ids of so many posts, newest first."""
    return [(await author.post(f"post {number}", **more))["id"] for number in range(count)][::-1]


async def test_bounds_are_exclusive_and_the_newest_comes_first_whatever_was_asked(world: World) -> None:
    alice = await world.person("alice")
    ids = await posted(alice, 7)
    await world.settled()
    for path in (HOME, "/api/v1/timelines/public", f"/api/v1/accounts/{alice.id}/statuses"):

        async def page(path: str = path, **params: str | int) -> list[str]:
            return [status["id"] for status in await alice.get(path, **params)]

        assert await page() == ids
        assert await page(limit=3) == ids[:3]
        assert await page(max_id=ids[2], limit=2) == ids[3:5]
        assert await page(since_id=ids[4], limit=2) == ids[:2]
        assert await page(min_id=ids[4], limit=2) == ids[2:4]
        assert await page(min_id=ids[5], max_id=ids[1]) == ids[2:5]
        assert await page(max_id=ids[-1]) == []
        assert await page(max_id=0) == []
        assert len(await page(limit=-3)) == 3
        assert len(await page(limit=10**30)) == 7


async def test_following_the_links_down_gives_everything_once_and_up_again_too(world: World) -> None:
    alice = await world.person("alice")
    ids = await posted(alice, 7)
    await world.settled()
    found: list[str] = []
    answer = await alice.raw("GET", HOME, params={"limit": 3})
    while answer.json():
        found += [status["id"] for status in answer.json()]
        last = answer
        answer = await alice.raw("GET", answer.links["next"]["url"])
    assert "link" not in answer.headers
    assert found == ids
    up: list[str] = []
    answer = await alice.raw("GET", last.links["prev"]["url"])
    while answer.json():
        up = [status["id"] for status in answer.json()] + up
        answer = await alice.raw("GET", answer.links["prev"]["url"])
    assert up == ids[:6]


async def test_a_link_keeps_what_was_asked_and_holds_neither_token_nor_old_bound(world: World) -> None:
    alice = await world.person("alice")
    ids = await posted(alice, 4)
    await world.settled()
    path = "/api/v1/timelines/public"
    answer = await alice.raw("GET", path, params={"local": "true", "limit": 2, "max_id": ids[0], "access_token": "x"})
    assert links(answer) == {
        "next": {"limit": ["2"], "local": ["true"], "max_id": [ids[2]]},
        "prev": {"limit": ["2"], "local": ["true"], "min_id": [ids[1]]},
    }


async def test_an_accounts_last_page_has_no_next(world: World) -> None:
    alice = await world.person("alice")
    await posted(alice, 3)
    await world.settled()
    path = f"/api/v1/accounts/{alice.id}/statuses"
    assert set((await alice.raw("GET", path, params={"limit": 2})).links) == {"next", "prev"}
    assert set((await alice.raw("GET", path, params={"limit": 5})).links) == {"prev"}


async def test_a_page_that_may_scan_no_further_is_short_and_says_where_to_go_on(world: World) -> None:
    alice = await world.person("alice")
    oldest = (await alice.post("for all"))["id"]
    hidden = await posted(alice, SCAN_MAX + 5, visibility="direct")
    newest = (await alice.post("for all"))["id"]
    await world.settled()
    anybody, path = world.anybody(), f"/api/v1/accounts/{alice.id}/statuses"
    first = await anybody.raw("GET", path)
    assert [status["id"] for status in first.json()] == [newest]
    second = await anybody.raw("GET", first.links["next"]["url"])
    assert [status["id"] for status in second.json()] == [oldest]
    upwards = await anybody.raw("GET", path, params={"min_id": oldest})
    assert upwards.json() == []
    assert links(upwards)["prev"]["min_id"] == [str(int(hidden[5]) - 1)]
    on = await anybody.raw("GET", upwards.links["prev"]["url"])
    assert [status["id"] for status in on.json()] == [newest]


async def test_answers_are_left_out_of_an_accounts_list_when_asked_but_for_those_to_itself(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    question = (await bob.post("well?"))["id"]
    await world.settled()
    own = (await alice.post("one"))["id"]
    thread = (await alice.post("two", in_reply_to_id=own))["id"]
    answer = (await alice.post("@bob yes", in_reply_to_id=question))["id"]
    await world.settled()
    path = f"/api/v1/accounts/{alice.id}/statuses"
    assert [status["id"] for status in await bob.get(path)] == [answer, thread, own]
    assert [status["id"] for status in await bob.get(path, exclude_replies="true")] == [thread, own]
    assert await bob.get(path, only_media="true") == await bob.get(path, pinned="true") == []


async def test_the_public_timelines_part_by_where_something_was_written(world: World) -> None:
    alice = await world.person("alice")
    here = (await alice.post("here"))["id"]
    await world.settled()
    path = "/api/v1/timelines/public"
    assert [status["id"] for status in await alice.get(path, local="1")] == [here]
    assert await alice.get(path, remote="1") == await alice.get(path, only_media="1") == []
