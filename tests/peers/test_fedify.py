"""A server made with Fedify and we, live: we follow each other, and what either does is seen on the other side."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.node import Script
from tests.system.sites import HTTP, Person, Row, Site, has, lacks, running_sites, table, until

RELATIONS = "/api/v1/accounts/relationships"
HOME = "/api/v1/timelines/home"
ME = "/api/v1/accounts/verify_credentials"
NOTES = "/api/v1/notifications"


class Fay:
    """The one person on the Fedify server."""

    def __init__(self, script: Script) -> None:
        self._script = script
        hello = script.heard()
        self.uri: str = hello["actor"]
        self.handle: str = hello["acct"]

    def does(self, deed: str, **more: Any) -> str:
        """Have her do something; gives the id of what came of it."""
        answer = self._script.ask(do=deed, **more)
        assert "error" not in answer, f"{answer['error']}\n" + "".join(self._script.said)
        return answer.get("id", "")

    def looks(self, at: str) -> Any:
        """The document that she finds there."""
        return self._script.ask(do="look", at=at)

    def state(self) -> Any:
        return self._script.ask(do="state")

    def got(self, kind: str, about: str, by: Person) -> Any:
        """Wait for an activity that she believed, of that type, about that URI and by somebody; gives the last one."""

        def found() -> list[Any]:
            theirs = [one for one in self.state()["received"] if (one["type"], one["actor"]) == (kind, by.uri)]
            return [one for one in theirs if about in about_of(one)]

        return until(found, f"Fay got no {kind} of {about}: {[one['type'] for one in self.state()['received']]}")[-1]

    def holds(self, what: str, uri: str, *, there: bool = True) -> None:
        """Wait until her followers or following hold somebody, or no longer."""
        until(lambda: [None] if (uri in self.state()[what]) is there else [], f"{what} of Fay: {self.state()[what]}")


def about_of(activity: Any) -> list[str]:
    """The ids that an activity is about: its object's, and its object's object's."""
    thing = activity.get("object")
    return [thing] if isinstance(thing, str) else [thing.get("id", ""), *(about_of(thing) if "object" in thing else [])]


@pytest.fixture(scope="module")
def site(packages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An instance on loopback."""
    with running_sites(tmp_path_factory.mktemp("fedify"), "localhost", people=4) as (site,):
        yield site
        assert site.complaints() == []


@pytest.fixture(scope="module")
def fay(packages: None) -> Iterator[Fay]:
    """The Fedify server."""
    with Script("fedify.mjs") as script:
        yield Fay(script)


def befriend(person: Person, fay: Fay) -> str:
    """Let both follow each other; gives the id under which Fay is known here."""
    fay.does("follow", who=person.uri)
    found = person.finds(fay.handle)
    person.post(f"/api/v1/accounts/{found}/follow")
    fay.holds("following", person.uri)
    fay.holds("followers", person.uri)
    table(
        Row(person, RELATIONS, "0.following", True, id=found),
        Row(person, RELATIONS, "0.followed_by", True, id=found),
    )
    return found


@pytest.fixture(scope="module")
def alice(site: Site, fay: Fay) -> Person:
    """Somebody here; she and Fay follow each other."""
    alice = site.person()
    befriend(alice, fay)
    return alice


def test_each_holds_the_other_as_a_follower(alice: Person, fay: Fay) -> None:
    assert (fay.state()["followers"], fay.state()["following"]) == ([alice.uri], [alice.uri])
    found = alice.finds(fay.handle)
    table(
        Row(alice, f"/api/v1/accounts/{alice.id}/followers", "*.acct", [fay.handle]),
        Row(alice, f"/api/v1/accounts/{alice.id}/following", "*.acct", [fay.handle]),
        Row(alice, f"/api/v1/accounts/{found}", "display_name", "Fay of Fedify"),
        Row(alice, ME, "followers_count", 1),
        Row(alice, NOTES, "*.type", has("follow")),
    )


def test_what_she_posts_edits_and_deletes_is_seen_here(alice: Person, fay: Fay) -> None:
    note = fay.does("post", text="Hello from Fedify", mentions=[alice.uri])
    table(
        Row(alice, HOME, "0.uri", note),
        Row(alice, HOME, "0.content", "<p>Hello from Fedify</p>"),
        Row(alice, HOME, "0.account.acct", fay.handle),
        Row(alice, HOME, "0.visibility", "public"),
        Row(alice, HOME, "0.mentions.*.acct", [alice.name]),
        Row(alice, NOTES, "0.status.uri", note),
    )
    there = f"/api/v1/statuses/{alice.get(HOME)[0]['id']}"
    fay.does("edit", id=note, text="Hello again")
    table(Row(alice, there, "content", "<p>Hello again</p>"), Row(alice, HOME, "0.content", "<p>Hello again</p>"))
    fay.does("delete", id=note)
    table(Row(alice, there, HTTP, 404), Row(alice, HOME, "*.uri", lacks(note)))


def test_what_is_posted_edited_and_deleted_here_is_believed_there(alice: Person, fay: Fay) -> None:
    post = alice.says("Hello from Daybook", language="en")
    created = fay.got("Create", post["uri"], alice)
    assert created["object"]["content"] == post["content"]
    assert created["object"]["attributedTo"] == created["actor"] == alice.uri
    alice.put(f"/api/v1/statuses/{post['id']}", status="Edited")
    assert fay.got("Update", post["uri"], alice)["object"]["content"] == "<p>Edited</p>"
    assert fay.looks(post["uri"])["content"] == "<p>Edited</p>"
    alice.delete(f"/api/v1/statuses/{post['id']}")
    fay.got("Delete", post["uri"], alice)


def test_her_reply_hangs_on_our_post_and_ours_on_hers(alice: Person, fay: Fay) -> None:
    post = alice.says("Anybody?")
    fay.got("Create", post["uri"], alice)
    reply = fay.does("post", text="Me", mentions=[alice.uri], inReplyTo=post["uri"])
    table(
        Row(alice, f"/api/v1/statuses/{post['id']}", "replies_count", 1),
        Row(alice, f"/api/v1/statuses/{post['id']}/context", "descendants.*.uri", [reply]),
        Row(alice, NOTES, "0.status.uri", reply),
    )
    answer = alice.says(f"@{fay.handle} Good", in_reply_to_id=alice.finds_post(reply))
    assert fay.got("Create", answer["uri"], alice)["object"]["inReplyTo"] == reply


def test_her_likes_and_boosts_are_counted_here_until_undone(alice: Person, fay: Fay) -> None:
    post = alice.says("Likeable")
    here = f"/api/v1/statuses/{post['id']}"
    fay.got("Create", post["uri"], alice)
    fay.does("like", what=post["uri"])
    fay.does("boost", what=post["uri"])
    table(
        Row(alice, here, "favourites_count", 1),
        Row(alice, here, "reblogs_count", 1),
        Row(alice, f"{here}/favourited_by", "*.acct", [fay.handle]),
        Row(alice, f"{here}/reblogged_by", "*.acct", [fay.handle]),
        Row(alice, NOTES, "*.type", has("favourite")),
        Row(alice, NOTES, "*.type", has("reblog")),
    )
    fay.does("unlike", what=post["uri"])
    fay.does("unboost", what=post["uri"])
    table(Row(alice, here, "favourites_count", 0), Row(alice, here, "reblogs_count", 0))


def test_our_likes_and_boosts_are_believed_there_and_so_is_their_end(alice: Person, fay: Fay) -> None:
    note = fay.does("post", text="Likeable too")
    there = f"/api/v1/statuses/{alice.finds_post(note)}"
    for deed, kind in (("favourite", "Like"), ("reblog", "Announce")):
        alice.post(f"{there}/{deed}")
        done = fay.got(kind, note, alice)
        assert (done["actor"], done["object"]) == (alice.uri, note)
        alice.post(f"{there}/un{deed}")
        assert fay.got("Undo", done["id"], alice)["object"]["type"] == kind


def test_whoever_unfollows_is_held_no_longer(site: Site, fay: Fay) -> None:
    bob = site.person()
    found = befriend(bob, fay)
    bob.post(f"/api/v1/accounts/{found}/unfollow")
    fay.holds("followers", bob.uri, there=False)
    fay.does("unfollow", who=bob.uri)
    table(
        Row(bob, RELATIONS, "0.following", False, id=found),
        Row(bob, RELATIONS, "0.followed_by", False, id=found),
        Row(bob, f"/api/v1/accounts/{bob.id}/followers", "*.acct", []),
    )


def test_whoever_blocks_tells_the_other_and_both_follows_end(site: Site, fay: Fay) -> None:
    blocked, blocking = site.person(), site.person()
    befriend(blocked, fay)
    found = befriend(blocking, fay)
    fay.does("block", who=blocked.uri)
    table(
        Row(blocked, RELATIONS, "0.following", False, id=found),
        Row(blocked, RELATIONS, "0.followed_by", False, id=found),
        Row(blocked, RELATIONS, "0.blocked_by", True, id=found),
    )
    fay.does("unblock", who=blocked.uri)
    table(Row(blocked, RELATIONS, "0.blocked_by", False, id=found))
    blocking.post(f"/api/v1/accounts/{found}/block")
    block = fay.got("Block", fay.uri, blocking)
    table(
        Row(blocking, RELATIONS, "0.following", False, id=found),
        Row(blocking, RELATIONS, "0.followed_by", False, id=found),
    )
    blocking.post(f"/api/v1/accounts/{found}/unblock")
    fay.got("Undo", block["id"], blocking)
