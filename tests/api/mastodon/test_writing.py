"""Posting, editing, deleting: what the answer says, and that whoever wrote reads it at once."""

import asyncio
import json

import pytest

from domain.account import Profile
from tests.api.mastodon.world import ORIGIN, World

pytestmark = pytest.mark.anyio

PATH = "/api/v1/statuses"


async def test_who_posts_reads_it_at_once_through_every_door(world: World) -> None:
    alice = await world.person("alice")
    for number in range(20):
        status = (await alice.post(f"post {number}"))["id"]
        assert (await alice.home(limit=1)) == [status]
        assert await alice.sees(status)
        assert (await alice.get(f"/api/v1/accounts/{alice.id}/statuses", limit=1))[0]["id"] == status


async def test_the_answer_to_a_post_is_the_status_as_it_is_read_afterwards(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob", Profile(display_name="Bob"))
    await world.settled()
    parent = await bob.post("a question")
    await world.settled()
    text = "@bob @nobody see #Tags at https://example.org/a\n\n<b>not bold</b>"
    for visibility in ("public", "unlisted", "private", "direct"):
        answer = await alice.post(
            text, visibility=visibility, spoiler_text="careful", language="en", in_reply_to_id=parent["id"]
        )
        assert answer == await alice.get(f"{PATH}/{answer['id']}")
    assert answer["in_reply_to_id"] == parent["id"]
    assert answer["in_reply_to_account_id"] == bob.id
    assert [mention["acct"] for mention in answer["mentions"]] == ["bob"]
    assert f'<a href="{answer["mentions"][0]["url"]}" class="u-url mention">' in answer["content"]
    assert "&lt;b&gt;" in answer["content"]
    assert answer["tags"] == [{"name": "Tags", "url": f"{ORIGIN}/tags/tags"}]
    assert answer["url"] == f"{ORIGIN}/@alice/{answer['id']}"
    assert (answer["spoiler_text"], answer["sensitive"], answer["language"]) == ("careful", True, "en")


async def test_every_encoding_of_the_same_post_gives_the_same_status(world: World) -> None:
    alice = await world.person("alice")
    fields = {"status": "häuser & co", "visibility": "unlisted", "spoiler_text": "cw", "sensitive": "1"}
    ways = (
        {"json": {**fields, "sensitive": True}},
        {"data": fields},
        {"files": {name: (None, value) for name, value in fields.items()}},
        {"params": fields},
    )
    found = [await alice.ask("POST", PATH, **way) for way in ways]
    for status in found:
        assert (status["content"], status["visibility"]) == ("<p>häuser &amp; co</p>", "unlisted")
        assert (status["spoiler_text"], status["sensitive"]) == ("cw", True)


async def test_a_content_warning_without_a_text_becomes_the_text(world: World) -> None:
    alice = await world.person("alice")
    status = await alice.post("  ", spoiler_text="only this")
    assert (status["content"], status["spoiler_text"]) == ("<p>only this</p>", "")


@pytest.mark.parametrize(
    ("draft", "sentence"),
    [
        ({"status": ""}, "Validation failed: Text can't be blank"),
        ({"status": "x" * 5_001}, "Validation failed: Text character limit of 5000 exceeded"),
        ({"status": "x" * 900_000}, "Validation failed: Text character limit of 5000 exceeded"),
        (
            {"status": "x", "media_ids": ["1", "x"]},
            "Validation failed: Media 1, x not found or already attached to another post",
        ),
        ({"status": "x", "media_ids": list("12345")}, "Validation failed: Cannot attach more than 4 files"),
        ({"status": "x", "poll": {"options": ["a", "b"]}}, "Polls can't be made on this server yet"),
        ({"status": "x", "scheduled_at": "2030-01-01"}, "Posts can't be scheduled on this server yet"),
        ({"status": "x", "quoted_status_id": "1"}, "Posts can't be quoted on this server yet"),
    ],
)
async def test_what_cannot_be_posted_is_refused_with_its_reason(world: World, draft: dict, sentence: str) -> None:
    alice = await world.person("alice")
    await world.settled()
    assert await alice.ask("POST", PATH, 422, json=draft) == {"error": sentence}
    assert await alice.home() == []


async def test_an_answer_to_what_one_cannot_see_is_not_found(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    secret = (await bob.post("to myself", visibility="direct"))["id"]
    await world.settled()
    for parent in (secret, "1", "x", "9" * 30):
        answer = await alice.ask("POST", PATH, 404, json={"status": "psst", "in_reply_to_id": parent})
        assert answer["error"]


async def test_a_thread_can_be_written_without_waiting_between_its_posts(world: World) -> None:
    alice = await world.person("alice")
    parent = (await alice.post("1"))["id"]
    for number in range(2, 8):
        status = await alice.post(str(number), in_reply_to_id=parent)
        assert (status["in_reply_to_id"], status["in_reply_to_account_id"]) == (parent, alice.id)
        parent = status["id"]


async def test_answers_are_counted_while_they_stand(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    question = (await alice.post("well?"))["id"]
    await world.settled()
    answers = [(await bob.post(f"@alice {number}", in_reply_to_id=question))["id"] for number in range(3)]
    await world.settled()
    assert (await alice.get(f"{PATH}/{question}"))["replies_count"] == 3
    await bob.ask("DELETE", f"{PATH}/{answers[0]}")
    await world.settled()
    assert (await alice.get(f"{PATH}/{question}"))["replies_count"] == 2
    await alice.ask("DELETE", f"{PATH}/{question}")
    await world.settled()
    left = await bob.get(f"{PATH}/{answers[1]}")
    assert (left["in_reply_to_id"], left["in_reply_to_account_id"]) == (None, alice.id)


async def test_an_edit_says_something_else_at_once_and_leaves_the_rest(world: World) -> None:
    alice = await world.person("alice")
    before = await alice.post("frist", visibility="unlisted", language="de")
    edited = await alice.ask("PUT", f"{PATH}/{before['id']}", json={"status": "first", "spoiler_text": "oops"})
    assert edited == await alice.get(f"{PATH}/{before['id']}")
    assert (edited["content"], edited["spoiler_text"], edited["language"]) == ("<p>first</p>", "oops", "de")
    assert edited["edited_at"] is not None
    same = ("id", "created_at", "visibility", "uri", "url")
    assert [edited[key] for key in same] == [before[key] for key in same]


async def test_a_deleted_status_is_answered_with_its_text_and_gone_at_once(world: World) -> None:
    alice = await world.person("alice")
    status = await alice.post("with #tag", spoiler_text="cw")
    gone = await alice.ask("DELETE", f"{PATH}/{status['id']}")
    assert (gone["text"], gone["spoiler_text"], gone["account"]["statuses_count"]) == ("with #tag", "cw", 0)
    assert "content" not in gone
    assert await alice.home() == []
    await alice.ask("DELETE", f"{PATH}/{status['id']}", 404)
    await alice.ask("PUT", f"{PATH}/{status['id']}", 404, json={"status": "x"})


async def test_nobody_edits_or_deletes_what_others_wrote(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    status = (await alice.post("mine"))["id"]
    await world.settled()
    await bob.ask("PUT", f"{PATH}/{status}", 404, json={"status": "yours"})
    await bob.ask("DELETE", f"{PATH}/{status}", 404)
    assert (await alice.get(f"{PATH}/{status}"))["content"] == "<p>mine</p>"


async def test_the_same_key_posts_once_however_often_and_however_fast_it_is_sent(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.settled()
    key = {"Idempotency-Key": "a key of my own"}
    posts = [alice.ask("POST", PATH, json={"status": "once"}, headers=key) for _ in range(5)]
    ids = {status["id"] for status in await asyncio.gather(*posts)}
    assert len(ids) == 1
    assert (await alice.ask("POST", PATH, json={"status": "other words"}, headers=key))["content"] == "<p>once</p>"
    assert await alice.home() == list(ids)
    of_bob = await bob.ask("POST", PATH, json={"status": "my own"}, headers=key)
    assert of_bob["account"]["username"] == "bob"
    await alice.ask("DELETE", f"{PATH}/{ids.pop()}")
    await alice.ask("POST", PATH, 404, json={"status": "once"}, headers=key)


async def test_no_two_accounts_are_mixed_up_by_a_handle_with_our_own_domain(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.settled()
    for handle in ("bob", "@bob", "bob@localhost:3000", "BOB", "acct:bob@LOCALHOST:3000"):
        assert (await alice.get("/api/v1/accounts/lookup", acct=handle))["id"] == bob.id
    await alice.get("/api/v1/accounts/lookup", 404, acct="bob@far.test")
    found = await alice.get("/api/v2/search", q="@bob")
    assert [account["id"] for account in found["accounts"]] == [bob.id]
    assert json.dumps(found["statuses"]) == json.dumps(found["hashtags"]) == "[]"
