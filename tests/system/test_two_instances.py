"""Two instances, each with its people: what is done on one is seen on both, by whomever it concerns, within 5 seconds.

Each table names the field of the client API that must have a value, asked as the person whom it concerns.
"""

import pytest

from tests.pictures import located_jpeg, opened
from tests.system.sites import HTTP, Pair, Person, Row, has, lacks, table

RELATIONS = "/api/v1/accounts/relationships"
HOME = "/api/v1/timelines/home"
PUBLIC = "/api/v1/timelines/public"
ME = "/api/v1/accounts/verify_credentials"
NOTES = "/api/v1/notifications"


def test_whoever_is_open_is_followed_at_once(alice: Person, bob: Person) -> None:
    there = bob.finds(alice)
    bob.post(f"/api/v1/accounts/{there}/follow")
    here = alice.finds(bob)
    table(
        Row(bob, RELATIONS, "0.following", True, id=there),
        Row(bob, RELATIONS, "0.requested", False, id=there),
        Row(bob, f"/api/v1/accounts/{bob.id}/following", "*.acct", [alice.handle]),
        Row(bob, ME, "following_count", 1),
        Row(alice, RELATIONS, "0.followed_by", True, id=here),
        Row(alice, f"/api/v1/accounts/{alice.id}/followers", "*.acct", [bob.handle]),
        Row(alice, ME, "followers_count", 1),
        Row(alice, NOTES, "0.type", "follow"),
        Row(alice, NOTES, "0.account.acct", bob.handle),
    )


@pytest.mark.parametrize("answer", ["authorize", "reject"])
def test_whoever_is_locked_is_asked(alice: Person, bob: Person, answer: str) -> None:
    alice.patch("/api/v1/accounts/update_credentials", locked=True)
    # Nobody who follows her would tell b.test, so it must not ask for her before that stands.
    table(Row(alice, f"/api/v1/accounts/{alice.id}", "locked", True))
    there = bob.finds(alice)
    table(Row(bob, f"/api/v1/accounts/{there}", "locked", True))
    bob.post(f"/api/v1/accounts/{there}/follow")
    here = alice.finds(bob)
    table(
        Row(bob, RELATIONS, "0.requested", True, id=there),
        Row(bob, RELATIONS, "0.following", False, id=there),
        Row(alice, RELATIONS, "0.requested_by", True, id=here),
        Row(alice, "/api/v1/follow_requests", "*.acct", [bob.handle]),
        Row(alice, ME, "source.follow_requests_count", 1),
        Row(alice, NOTES, "0.type", "follow_request"),
    )
    alice.post(f"/api/v1/follow_requests/{here}/{answer}")
    yes = answer == "authorize"
    table(
        Row(bob, RELATIONS, "0.requested", False, id=there),
        Row(bob, RELATIONS, "0.following", yes, id=there),
        Row(bob, f"/api/v1/accounts/{bob.id}/following", "*.acct", [alice.handle] if yes else []),
        Row(alice, RELATIONS, "0.followed_by", yes, id=here),
        Row(alice, "/api/v1/follow_requests", "*.acct", []),
        Row(alice, f"/api/v1/accounts/{alice.id}/followers", "*.acct", [bob.handle] if yes else []),
    )


@pytest.mark.parametrize("visibility", ["public", "unlisted"])
def test_a_post_for_everybody_is_everybodys_and_in_the_followers_home(
    two: Pair, alice: Person, bob: Person, followed: str, visibility: str
) -> None:
    other = two.b.person()
    post = alice.says(f"For all ({visibility})", visibility=visibility, spoiler_text="greeting", language="de")
    table(Row(bob, HOME, "*.uri", has(post["uri"])))
    there = f"/api/v1/statuses/{bob.finds_post(post['uri'])}"
    table(
        Row(bob, there, "visibility", visibility),
        Row(bob, there, "content", post["content"]),
        Row(bob, there, "spoiler_text", "greeting"),
        Row(bob, there, "sensitive", True),
        Row(bob, there, "language", "de"),
        Row(bob, there, "url", post["url"]),
        Row(bob, there, "account.acct", alice.handle),
        Row(other, there, HTTP, 200),
        Row(other, HOME, "*.uri", []),
        Row(other, PUBLIC, "*.uri", has(post["uri"]) if visibility == "public" else lacks(post["uri"])),
        Row(other, f"/api/v1/accounts/{followed}/statuses", "*.uri", [post["uri"]]),
    )


def test_a_post_for_followers_is_theirs_alone(two: Pair, alice: Person, bob: Person, followed: str) -> None:
    other = two.b.person()
    post = alice.says("For those who follow", visibility="private")
    table(Row(bob, HOME, "*.uri", has(post["uri"])))
    there = f"/api/v1/statuses/{bob.get(HOME)[0]['id']}"
    table(
        Row(bob, there, "visibility", "private"),
        Row(bob, f"/api/v1/accounts/{followed}/statuses", "*.uri", [post["uri"]]),
        Row(other, there, HTTP, 404),
        Row(other, PUBLIC, "*.uri", lacks(post["uri"])),
        Row(other, f"/api/v1/accounts/{followed}/statuses", "*.uri", []),
    )


def test_a_post_for_those_it_names_is_theirs_alone(two: Pair, alice: Person, bob: Person, followed: str) -> None:
    named, other = two.b.person(), two.b.person()
    alice.finds(named)
    post = alice.says(f"Psst @{named.handle}", visibility="direct")
    after = alice.says("And now something for all")
    table(Row(named, NOTES, "0.status.uri", post["uri"]), Row(bob, HOME, "*.uri", [after["uri"]]))
    there = f"/api/v1/statuses/{named.get(NOTES)[0]['status']['id']}"
    table(
        Row(named, there, "visibility", "direct"),
        Row(named, there, "mentions.*.acct", [named.name]),
        Row(named, NOTES, "*.type", ["mention"]),
        Row(named, HOME, "*.uri", []),
        Row(bob, there, HTTP, 404),
        Row(other, there, HTTP, 404),
        Row(bob, f"/api/v1/accounts/{followed}/statuses", "*.uri", [after["uri"]]),
    )


def test_a_reply_hangs_on_what_it_answers_on_both_sides(alice: Person, bob: Person, followed: str) -> None:
    post = alice.says("Who is there?")
    there = bob.finds_post(post["uri"])
    reply = bob.says(f"@{alice.handle} Me", in_reply_to_id=there)
    here = f"/api/v1/statuses/{post['id']}"
    table(
        Row(alice, here, "replies_count", 1),
        Row(alice, f"{here}/context", "descendants.*.uri", [reply["uri"]]),
        Row(alice, f"{here}/context", "descendants.*.in_reply_to_id", [post["id"]]),
        Row(alice, f"{here}/context", "descendants.*.in_reply_to_account_id", [alice.id]),
        Row(alice, NOTES, "0.type", "mention"),
        Row(alice, NOTES, "0.status.uri", reply["uri"]),
        Row(bob, f"/api/v1/statuses/{there}", "replies_count", 1),
        Row(bob, f"/api/v1/statuses/{reply['id']}/context", "ancestors.*.uri", [post["uri"]]),
        Row(bob, f"/api/v1/statuses/{reply['id']}", "in_reply_to_account_id", followed),
    )


def test_a_mention_reaches_whoever_never_heard_of_the_author(alice: Person, bob: Person) -> None:
    alice.finds(bob)
    post = alice.says(f"Hello @{bob.handle}")
    assert [one["acct"] for one in post["mentions"]] == [bob.handle]
    table(
        Row(bob, NOTES, "*.type", ["mention"]),
        Row(bob, NOTES, "0.account.acct", alice.handle),
        Row(bob, NOTES, "0.status.uri", post["uri"]),
        Row(bob, NOTES, "0.status.mentions.*.acct", [bob.name]),
        Row(bob, NOTES, "0.status.mentions.*.id", [bob.id]),
        Row(bob, HOME, "*.uri", []),
    )


def test_a_boost_is_told_to_the_author_and_in_the_boosters_followers_home(
    two: Pair, alice: Person, bob: Person, followed: str
) -> None:
    reader = two.a.person()
    reader.follows(bob)
    post = alice.says("Worth passing on")
    here, there = f"/api/v1/statuses/{post['id']}", f"/api/v1/statuses/{bob.finds_post(post['uri'])}"
    bob.post(f"{there}/reblog")
    table(
        Row(bob, there, "reblogged", True),
        Row(bob, there, "reblogs_count", 1),
        Row(alice, here, "reblogs_count", 1),
        Row(alice, f"{here}/reblogged_by", "*.acct", [bob.handle]),
        Row(alice, NOTES, "0.type", "reblog"),
        Row(alice, NOTES, "0.account.acct", bob.handle),
        Row(alice, NOTES, "0.status.id", post["id"]),
        Row(reader, HOME, "0.reblog.id", post["id"]),
        Row(reader, HOME, "0.account.acct", bob.handle),
    )
    bob.post(f"{there}/unreblog")
    table(
        Row(bob, there, "reblogged", False),
        Row(alice, here, "reblogs_count", 0),
        Row(alice, f"{here}/reblogged_by", "*.acct", []),
        Row(reader, HOME, "*.id", []),
    )


def test_a_favourite_is_told_to_the_author_and_can_be_taken_back(alice: Person, bob: Person, followed: str) -> None:
    post = alice.says("Likeable")
    here, there = f"/api/v1/statuses/{post['id']}", f"/api/v1/statuses/{bob.finds_post(post['uri'])}"
    bob.post(f"{there}/favourite")
    table(
        Row(bob, there, "favourited", True),
        Row(bob, there, "favourites_count", 1),
        Row(bob, "/api/v1/favourites", "*.uri", [post["uri"]]),
        Row(alice, here, "favourites_count", 1),
        Row(alice, f"{here}/favourited_by", "*.acct", [bob.handle]),
        Row(alice, NOTES, "0.type", "favourite"),
        Row(alice, NOTES, "0.account.acct", bob.handle),
    )
    bob.post(f"{there}/unfavourite")
    table(
        Row(bob, there, "favourited", False),
        Row(alice, here, "favourites_count", 0),
        Row(alice, f"{here}/favourited_by", "*.acct", []),
    )


def test_an_edit_is_seen_with_what_stood_there_before(alice: Person, bob: Person, followed: str) -> None:
    post = alice.says("Frist")
    there = f"/api/v1/statuses/{bob.finds_post(post['uri'])}"
    edited = alice.put(f"/api/v1/statuses/{post['id']}", status="First", spoiler_text="mended")
    table(
        Row(bob, there, "content", "<p>First</p>"),
        Row(bob, there, "spoiler_text", "mended"),
        Row(bob, there, "edited_at", has(edited["edited_at"][:19])),
        Row(bob, HOME, "0.content", "<p>First</p>"),
        Row(bob, f"{there}/history", "*.content", ["<p>Frist</p>", "<p>First</p>"]),
        Row(alice, f"/api/v1/statuses/{post['id']}/history", "*.content", ["<p>Frist</p>", "<p>First</p>"]),
    )


def test_a_deleted_post_is_gone_on_both_sides(alice: Person, bob: Person, followed: str) -> None:
    post = alice.says("Soon gone")
    there = f"/api/v1/statuses/{bob.finds_post(post['uri'])}"
    table(Row(bob, there, HTTP, 200))
    alice.delete(f"/api/v1/statuses/{post['id']}")
    table(
        Row(alice, f"/api/v1/statuses/{post['id']}", HTTP, 404),
        Row(bob, there, HTTP, 404),
        Row(bob, HOME, "*.uri", []),
        Row(bob, f"/api/v1/accounts/{followed}/statuses", "*.uri", []),
    )


def test_whoever_unfollows_gets_nothing_more(two: Pair, alice: Person, bob: Person, followed: str) -> None:
    other = two.b.person()
    other.follows(alice)
    bob.post(f"/api/v1/accounts/{followed}/unfollow")
    here = alice.finds(bob)
    table(
        Row(bob, RELATIONS, "0.following", False, id=followed),
        Row(bob, ME, "following_count", 0),
        Row(alice, RELATIONS, "0.followed_by", False, id=here),
        Row(alice, f"/api/v1/accounts/{alice.id}/followers", "*.acct", [other.handle]),
        Row(alice, ME, "followers_count", 1),
    )
    post = alice.says("For those who stayed", visibility="private")
    table(Row(other, HOME, "*.uri", [post["uri"]]), Row(bob, HOME, "*.uri", []))
    assert bob.client.get(f"/api/v1/statuses/{other.get(HOME)[0]['id']}").status_code == 404


def test_whoever_is_blocked_loses_the_follow_and_gets_nothing_more(
    two: Pair, alice: Person, bob: Person, followed: str
) -> None:
    alice.follows(bob)
    here = alice.finds(bob)
    alice.post(f"/api/v1/accounts/{here}/block")
    table(
        Row(alice, RELATIONS, "0.blocking", True, id=here),
        Row(alice, RELATIONS, "0.following", False, id=here),
        Row(alice, RELATIONS, "0.followed_by", False, id=here),
        Row(alice, "/api/v1/blocks", "*.acct", [bob.handle]),
        Row(alice, f"/api/v1/accounts/{alice.id}/followers", "*.acct", []),
        Row(bob, RELATIONS, "0.following", False, id=followed),
        Row(bob, RELATIONS, "0.followed_by", False, id=followed),
        Row(bob, f"/api/v1/accounts/{bob.id}/followers", "*.acct", []),
    )
    other = two.b.person()
    other.follows(alice)
    post = alice.says("Not for whom I blocked")
    table(Row(other, HOME, "*.uri", [post["uri"]]), Row(bob, HOME, "*.uri", []))
    bob.says(f"@{alice.handle} hello?")
    alice.post(f"/api/v1/accounts/{here}/unblock")
    again = bob.says(f"@{alice.handle} and now?")
    table(
        Row(alice, RELATIONS, "0.blocking", False, id=here),
        Row(alice, NOTES, "0.status.uri", again["uri"]),
        Row(bob, RELATIONS, "0.following", False, id=followed),
    )


def test_a_mute_is_seen_by_nobody_but_whoever_muted(two: Pair, alice: Person, bob: Person, followed: str) -> None:
    other = two.b.person()
    other.follows(alice)
    bob.post(f"/api/v1/accounts/{followed}/mute")
    post = alice.says(f"Can you hear me, @{bob.handle}?")
    here = alice.finds(bob)
    table(
        Row(other, HOME, "*.uri", [post["uri"]]),
        Row(bob, RELATIONS, "0.muting", True, id=followed),
        Row(bob, RELATIONS, "0.following", True, id=followed),
        Row(bob, "/api/v1/mutes", "*.acct", [alice.handle]),
        Row(bob, HOME, "*.uri", []),
        Row(bob, NOTES, "*.type", []),
        Row(alice, RELATIONS, "0.followed_by", True, id=here),
        Row(alice, RELATIONS, "0.blocked_by", False, id=here),
    )
    bob.post(f"/api/v1/accounts/{followed}/unmute")
    table(Row(bob, RELATIONS, "0.muting", False, id=followed), Row(bob, HOME, "*.uri", [post["uri"]]))


def test_a_changed_profile_is_shown_to_followers(alice: Person, bob: Person, followed: str) -> None:
    profile = {"display_name": "Alice of a.test", "note": "Writes #books", "locked": True, "bot": True}
    alice.patch(
        "/api/v1/accounts/update_credentials",
        **profile,
        fields_attributes=[{"name": "Home", "value": "https://alice.test/"}],
    )
    there = f"/api/v1/accounts/{followed}"
    table(
        Row(alice, ME, "display_name", "Alice of a.test"),
        Row(bob, there, "display_name", "Alice of a.test"),
        Row(bob, there, "note", has("Writes")),
        Row(bob, there, "locked", True),
        Row(bob, there, "bot", True),
        Row(bob, there, "fields.*.name", ["Home"]),
        Row(bob, there, "fields.0.value", has("https://alice.test/")),
        Row(bob, RELATIONS, "0.following", True, id=followed),
    )


def test_pictures_are_shown_on_the_other_side_with_their_words(alice: Person, bob: Person, followed: str) -> None:
    media = alice.send("POST", "/api/v2/media", {"file": located_jpeg(6)}, description="a flag", focus="0,1")
    post = alice.says("", media_ids=[media["id"]], sensitive=True)
    table(Row(bob, HOME, "*.uri", has(post["uri"])))
    there = f"/api/v1/statuses/{bob.finds_post(post['uri'])}"
    table(
        Row(bob, there, "media_attachments.*.type", ["image"]),
        Row(bob, there, "media_attachments.*.remote_url", [media["url"]]),
        Row(bob, there, "media_attachments.*.description", ["a flag"]),
        Row(bob, there, "media_attachments.0.blurhash", media["blurhash"]),
        Row(bob, there, "media_attachments.0.meta.original.size", "80x120"),
        Row(bob, there, "media_attachments.0.meta.focus.y", 1.0),
        Row(bob, there, "sensitive", True),
        Row(bob, f"/api/v1/accounts/{followed}/statuses", "*.uri", [post["uri"]], only_media="true"),
    )
    served = alice.client.get(media["url"].removeprefix(alice.site.origin))
    assert opened(served.content).size == (80, 120) and not dict(opened(served.content).getexif())
    words = [{"id": media["id"], "description": "a red flag"}]
    alice.put(f"/api/v1/statuses/{post['id']}", status="", media_ids=[media["id"]], media_attributes=words)
    table(Row(bob, there, "media_attachments.*.description", ["a red flag"]))
    alice.put(f"/api/v1/statuses/{post['id']}", status="Nothing to see")
    table(Row(bob, there, "media_attachments.*.type", []))


def test_a_new_avatar_is_shown_to_followers_and_so_is_that_it_is_gone(
    alice: Person, bob: Person, followed: str
) -> None:
    path, there = "/api/v1/accounts/update_credentials", f"/api/v1/accounts/{followed}"
    shown = alice.send("PATCH", path, {"avatar": located_jpeg(1), "header": located_jpeg(1)})
    table(Row(bob, there, "avatar", shown["avatar"]), Row(bob, there, "header", shown["header"]))
    alice.delete("/api/v1/profile/avatar")
    table(
        Row(bob, there, "avatar", has("/avatars/original/missing.png")),
        Row(bob, there, "header", shown["header"]),
    )


def test_a_boost_brings_a_post_that_nobody_there_knew(two: Pair, alice: Person, bob: Person, followed: str) -> None:
    post = two.a.person().says("Who knows me?", spoiler_text="unknown")
    alice.post(f"/api/v1/statuses/{alice.finds_post(post['uri'])}/reblog")
    table(
        Row(bob, HOME, "0.account.acct", alice.handle),
        Row(bob, HOME, "0.reblog.uri", post["uri"]),
        Row(bob, HOME, "0.reblog.content", post["content"]),
        Row(bob, HOME, "0.reblog.spoiler_text", "unknown"),
        Row(bob, HOME, "0.reblog.account.acct", f"{post['account']['acct']}@{two.a.name}"),
    )


def test_an_answer_brings_the_thread_that_nobody_there_knew(
    two: Pair, alice: Person, bob: Person, followed: str
) -> None:
    asker = two.a.person()
    first = asker.says("Who is there?")
    second = asker.says("Nobody?", in_reply_to_id=first["id"])
    answer = alice.says("I am", in_reply_to_id=alice.finds_post(second["uri"]))
    there = f"/api/v1/statuses/{bob.finds_post(answer['uri'])}"
    table(
        Row(bob, f"{there}/context", "ancestors.*.uri", [first["uri"], second["uri"]]),
        Row(bob, f"{there}/context", "ancestors.*.content", [first["content"], second["content"]]),
    )


def test_a_pinned_post_is_pinned_there_too(alice: Person, bob: Person, followed: str) -> None:
    post = alice.says("Read this first")
    table(Row(bob, HOME, "*.uri", [post["uri"]]))
    for deed, pinned in (("pin", [post["uri"]]), ("unpin", [])):
        alice.post(f"/api/v1/statuses/{post['id']}/{deed}")
        table(Row(bob, f"/api/v1/accounts/{followed}/statuses", "*.uri", pinned, pinned="true"))


def test_what_people_paste_leads_to_the_post_and_to_the_profile(alice: Person, bob: Person) -> None:
    post = alice.says("Found by its address")
    for pasted in (post["url"], post["uri"]):
        assert bob.get(f"/api/v1/statuses/{bob.finds_post(pasted)}")["uri"] == post["uri"]
    for pasted in (alice.uri, f"{alice.site.origin}/@{alice.name}", f"@{alice.handle.upper()}"):
        assert bob.get(f"/api/v1/accounts/{bob.find(pasted, 'accounts')}")["uri"] == alice.uri
