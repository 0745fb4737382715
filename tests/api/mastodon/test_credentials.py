"""Editing oneself: every spelling that clients use, what everybody sees of it, and how new posts are made by it."""

import asyncio
from typing import Any

import pytest

from domain.account import Field, Profile
from tests.api.mastodon.world import ORIGIN, World
from tests.pictures import MAKER, encoded, halves, jpeg, located_jpeg, opened, png_bomb

pytestmark = pytest.mark.anyio

PATH = "/api/v1/accounts/update_credentials"
OWN = "/api/v1/accounts/verify_credentials"


def rows(account: dict[str, Any]) -> list[tuple[str, str]]:
    return [(field["name"], field["value"]) for field in account["source"]["fields"]]


async def test_the_answer_is_the_account_as_it_is_read_afterwards_by_everybody(world: World) -> None:
    alice = await world.person("alice", Profile(note="before", fields=(Field("site", "x"),)))
    await world.settled()
    changed = await alice.ask(
        "PATCH",
        PATH,
        json={
            "display_name": " Alice  A. ",
            "note": "I <3 #trees",
            "locked": True,
            "bot": "1",
            "discoverable": True,
            "indexable": True,
            "hide_collections": True,
            "fields_attributes": [{"name": "Site", "value": "https://example.org"}, {"name": "", "value": ""}],
            "unknown": 1,
        },
    )
    assert changed == await alice.get(OWN)
    assert (changed["display_name"], changed["locked"], changed["bot"]) == ("Alice A.", True, True)
    assert (changed["discoverable"], changed["indexable"], changed["hide_collections"]) == (True, True, True)
    assert changed["source"]["note"] == "I <3 #trees" and changed["note"].startswith("<p>I &lt;3 <a")
    assert rows(changed) == [("Site", "https://example.org")]
    assert "<a href=" in changed["fields"][0]["value"]
    await world.settled()
    seen = await world.anybody().get(f"/api/v1/accounts/{alice.id}")
    assert seen == {key: value for key, value in changed.items() if key not in ("source", "role")}
    left = await alice.ask("PATCH", PATH, data={"locked": "false", "note": ""})
    assert (left["locked"], left["source"]["note"], left["note"], left["display_name"]) == (False, "", "", "Alice A.")
    assert await alice.ask("PATCH", PATH, json={}) == left


@pytest.mark.parametrize(
    "how",
    [
        {"json": {"fields_attributes": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}},
        {"json": {"fields_attributes": {"0": {"name": "a", "value": "1"}, "1": {"name": "b", "value": "2"}}}},
        {
            "data": {
                "fields_attributes[0][name]": "a",
                "fields_attributes[0][value]": "1",
                "fields_attributes[1][name]": "b",
                "fields_attributes[1][value]": "2",
            }
        },
        {
            "files": [
                ("fields_attributes[][name]", (None, "a")),
                ("fields_attributes[][value]", (None, "1")),
                ("fields_attributes[][name]", (None, "b")),
                ("fields_attributes[][value]", (None, "2")),
            ]
        },
    ],
)
async def test_rows_of_the_profile_may_be_spelled_in_every_way(world: World, how: dict[str, Any]) -> None:
    alice = await world.person("alice")
    assert rows(await alice.ask("PATCH", PATH, **how)) == [("a", "1"), ("b", "2")]


async def test_pictures_are_cut_to_size_told_to_peers_and_taken_away_again(world: World) -> None:
    alice, anybody = await world.person("alice"), world.anybody()
    await world.settled()
    files = {
        "avatar": ("blob", located_jpeg(1), "application/octet-stream"),
        "header": ("x.png", encoded(halves(900, 900), "PNG")),
    }
    changed = await alice.ask("PATCH", PATH, files=files, data={"display_name": "Al"})
    assert changed["display_name"] == "Al"
    for name, size in (("avatar", (400, 400)), ("header", (1_500, 500))):
        url = changed[name]
        assert url == changed[f"{name}_static"]
        served = await anybody.raw("GET", url.removeprefix(ORIGIN))
        assert served.status_code == 200 and MAKER.encode() not in served.content
        assert opened(served.content).size == size and not dict(opened(served.content).getexif())
    status = await alice.post("hello")
    assert (await alice.get(f"/api/v1/statuses/{status['id']}"))["account"]["avatar"] == changed["avatar"]
    for name in ("avatar", "header"):
        left = await alice.ask("DELETE", f"/api/v1/profile/{name}")
        assert left[name] == f"{ORIGIN}/{name}s/original/missing.png"
        assert left == await alice.get(OWN)
    assert (await alice.ask("DELETE", "/api/v1/profile/avatar"))["display_name"] == "Al"


async def test_what_is_refused_changes_nothing_and_leaves_no_file(world: World) -> None:
    alice = await world.person("alice")
    await world.settled()
    before = await alice.get(OWN)
    for raw in (b"<svg/>", jpeg()[:300], png_bomb(20_000, 20_000)):
        answer = await alice.ask("PATCH", PATH, 422, files={"avatar": raw}, data={"display_name": "Al"})
        assert answer["error"].startswith("Validation failed: File ")
    both = {"avatar": jpeg(), "header": b"no picture"}
    await alice.ask("PATCH", PATH, 422, files=both)
    await alice.ask("PATCH", PATH, 422, files={"avatar": jpeg()}, data={"display_name": "x" * 41})
    for wrong in (
        {"note": "x" * 501},
        {"fields_attributes": [{"name": "a", "value": "b"}] * 5},
        {"source": {"privacy": "direct"}, "display_name": "Al"},
        {"avatar": "no file"},
        {"locked": [1]},
        {"fields_attributes": "x"},
    ):
        await alice.ask("PATCH", PATH, 422, json=wrong)
    assert await alice.get(OWN) == before
    assert [path for path in (world.settings.data / "media").rglob("*") if path.is_file()] == []


async def test_posts_are_made_as_their_author_prefers_from_the_very_next_one_on(world: World) -> None:
    alice = await world.person("alice")
    await world.settled()
    changed = await alice.ask(
        "PATCH", PATH, data={"source[privacy]": "private", "source[sensitive]": "true", "source[language]": "de"}
    )
    assert [changed["source"][name] for name in ("privacy", "sensitive", "language")] == ["private", True, "de"]
    status = await alice.post("hallo")
    assert (status["visibility"], status["sensitive"], status["language"]) == ("private", True, "de")
    status = await alice.post("hi", visibility="public", sensitive=False, language="en")
    assert (status["visibility"], status["sensitive"], status["language"]) == ("public", False, "en")
    found = await alice.get("/api/v1/preferences")
    assert found["posting:default:visibility"] == "private"
    assert (found["posting:default:sensitive"], found["posting:default:language"]) == (True, "de")
    changed = await alice.ask("PATCH", PATH, json={"source": {"language": "", "sensitive": False}})
    assert [changed["source"][name] for name in ("privacy", "sensitive", "language")] == ["private", False, None]
    assert (await alice.get(OWN))["source"] == changed["source"]


async def test_two_edits_at_once_lose_nothing_of_each_other(world: World) -> None:
    alice = await world.person("alice")
    await world.settled()
    edits = ({"display_name": "Al"}, {"note": "me"}, {"locked": True}, {"bot": True})
    await asyncio.gather(*(alice.ask("PATCH", PATH, json=edit) for edit in edits))
    own = await alice.get(OWN)
    assert (own["display_name"], own["source"]["note"], own["locked"], own["bot"]) == ("Al", "me", True, True)


async def test_nobody_edits_without_leave(world: World) -> None:
    alice, anybody = await world.person("alice"), world.anybody()
    narrow = await world.token(alice.number, "read")
    for method, path in (("PATCH", PATH), ("DELETE", "/api/v1/profile/avatar"), ("POST", "/api/v2/media")):
        assert (await anybody.raw(method, path, json={})).status_code == 401
        assert (await anybody.raw(method, path, json={}, headers=narrow)).status_code == 403
