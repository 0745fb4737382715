"""Who fetches decides what is there: followers and those addressed see what is for them, nobody else learns of it."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from domain import block, post
from domain import follow as following
from domain.block import BlockAccount, UnblockAccount
from domain.follow import AcceptFollow
from domain.post import Mention, PublishPost
from tests.federation.peer import Peer, running_peer
from tests.instance import LiveInstance

AS_PEER = {"Accept": "application/activity+json"}


@pytest.fixture(scope="module")
def follower(instance: LiveInstance, account: Any) -> Iterator[Peer]:
    """Somebody elsewhere who follows admin."""
    with running_peer("fred") as peer:
        known(instance, peer)
        become_follower(instance, account, peer)
        yield peer


@pytest.fixture
def acquaintance(instance: LiveInstance) -> Iterator[Peer]:
    """Somebody elsewhere who is known here, and follows nobody."""
    with running_peer("ada") as peer:
        known(instance, peer)
        yield peer


def known(instance: LiveInstance, peer: Peer) -> None:
    assert peer.post(instance.inbox, peer.note("Here I am")).status == 202
    instance.settled()


def become_follower(instance: LiveInstance, account: Any, peer: Peer) -> Any:
    """Gives the Follow."""
    asked = peer.activity("Follow", account["uri"])
    assert peer.post(f"{account['uri']}/inbox", asked).status == 202
    instance.settled()
    accept = AcceptFollow(follower=account_of(instance, peer), followee=int(account["id"]))
    instance.run(instance.server.do(following, accept))
    instance.settled()
    return asked


def account_of(instance: LiveInstance, peer: Peer) -> int:
    ((number,),) = instance.rows("SELECT id FROM accounts WHERE uri = %s", peer.actor)
    return number


def posted(instance: LiveInstance, text: str, **more: Any) -> Any:
    answer = instance.client.post("/api/v1/statuses", json={"status": text, **more})
    assert answer.status_code == 200, answer.text
    instance.settled()
    return answer.json()


def whispered(instance: LiveInstance, account: Any, peer: Peer) -> str:
    """The URI of a direct post to somebody, whose host has a port here and so can't be written in a post."""
    number = instance.server.ids.next()
    mention = Mention(peer.actor, peer.name, peer.acct, peer.actor)
    command = PublishPost(
        post=number,
        author=int(account["id"]),
        uri=f"{account['uri']}/statuses/{number}",
        url=f"{account['url']}/{number}",
        visibility="direct",
        text="For you",
        length=7,
        mentions=(mention,),
    )
    instance.run(instance.server.do(post, command))
    instance.settled()
    return command.uri


def test_a_follower_may_fetch_what_is_for_followers(instance: LiveInstance, follower: Peer) -> None:
    status = posted(instance, "For followers", visibility="private")
    answer = follower.get(status["uri"])
    assert (answer.status_code, answer.json()["id"]) == (200, status["uri"])
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["vary"] == "Accept, Signature"
    page = follower.get(status["url"])
    assert (page.status_code, page.headers["location"]) == (302, status["uri"])


def test_who_is_addressed_may_fetch_a_direct_post_and_nobody_else_can(
    instance: LiveInstance, account: Any, follower: Peer, acquaintance: Peer
) -> None:
    uri = whispered(instance, account, acquaintance)
    note = acquaintance.get(uri).json()
    assert (note["to"], note["cc"], note["directMessage"]) == ([acquaintance.actor], [], True)
    assert follower.get(uri).status_code == 404


@pytest.mark.parametrize("visibility", ["private", "direct"])
def test_for_everybody_else_there_is_no_such_post(
    instance: LiveInstance, peer: Peer, stranger: Peer, acquaintance: Peer, visibility: str
) -> None:
    status = posted(instance, "For few", visibility=visibility)
    absent = status["uri"].replace(status["id"], "1")
    for asker in (peer, stranger, acquaintance):
        hidden, never = asker.get(status["uri"]), asker.get(absent)
        assert (hidden.status_code, hidden.content) == (404, never.content)
        for name in ("cache-control", "vary", "daybook-signature"):
            assert hidden.headers.get(name) == never.headers.get(name)
        assert hidden.headers["cache-control"] == "private, no-store"
    assert not stranger.fetched, "who is unknown can't be a follower, so nobody need be asked for the key"


@pytest.mark.parametrize("visibility", ["public", "unlisted"])
def test_what_everybody_may_see_is_there_for_strangers_and_bad_signatures(
    instance: LiveInstance, follower: Peer, stranger: Peer, visibility: str
) -> None:
    uri = posted(instance, "For all", visibility=visibility)["uri"]
    note = httpx.get(uri, headers=AS_PEER).json()
    stale = follower.signed_get(uri, at=dt.datetime.now(dt.UTC) - dt.timedelta(days=2))
    for answer in (stranger.get(uri), follower.get(uri), follower.get(uri, headers=stale)):
        assert (answer.status_code, answer.json()) == (200, note)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"Signature": "nonsense"}, "malformed"),
        ({"Date": "Tue, 18 Aug 2026 12:00:00 GMT"}, "too old"),
        ({"Signature-Input": "sig1=()"}, "empty or malformed"),
        ({"Accept": "application/ld+json"}, None),
    ],
)
def test_a_broken_signature_is_none_and_the_answer_says_so(
    instance: LiveInstance, follower: Peer, broken: dict[str, str], why: str | None
) -> None:
    private, public = (posted(instance, "Said", visibility=each)["uri"] for each in ("private", "public"))
    hidden = follower.get(private, headers=follower.signed_get(private) | broken)
    shown = follower.get(public, headers=follower.signed_get(public) | broken)
    assert (hidden.status_code, shown.status_code) == (404 if why else 200, 200)
    for answer in (hidden, shown):
        assert (why or "") in answer.headers.get("daybook-signature", "")
        assert ("daybook-signature" in answer.headers) == bool(why)


def test_a_signature_is_for_one_address_of_one_server(instance: LiveInstance, follower: Peer) -> None:
    one, other = (posted(instance, "Said", visibility="private")["uri"] for _ in range(2))
    assert follower.get(other, headers=follower.signed_get(one)).status_code == 404
    elsewhere = follower.signed_get(one.replace(instance.origin, "http://elsewhere.test"))
    assert follower.get(one, headers=elsewhere | {"Host": "elsewhere.test"}).status_code == 404


def test_a_name_alone_is_no_proof(instance: LiveInstance, follower: Peer, stranger: Peer) -> None:
    uri = posted(instance, "For followers", visibility="private")["uri"]
    forged = stranger.signed_get(uri)
    forged["Signature"] = forged["Signature"].replace(stranger.key_id, follower.key_id)
    assert stranger.get(uri, headers=forged).status_code == 404


def test_a_new_key_of_somebody_known_is_asked_for_once(
    instance: LiveInstance, account: Any, acquaintance: Peer
) -> None:
    uri = whispered(instance, account, acquaintance)
    assert acquaintance.get(uri).status_code == 200
    acquaintance.new_key()
    before = len(acquaintance.fetched)
    assert [acquaintance.get(uri).status_code for _ in range(3)] == [200, 200, 200]
    assert len(acquaintance.fetched) == before + 1


def test_a_key_that_somebody_known_does_not_have_is_asked_for_once(
    instance: LiveInstance, account: Any, acquaintance: Peer
) -> None:
    uri = whispered(instance, account, acquaintance)
    headers = acquaintance.signed_get(uri)
    headers["Signature"] = headers["Signature"].replace("#main-key", "#another")
    before = len(acquaintance.fetched)
    answers = [acquaintance.get(uri, headers=headers) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {404}
    assert len(acquaintance.fetched) == before + 1


def test_one_signers_answer_is_in_no_cache_that_another_reads(instance: LiveInstance, follower: Peer) -> None:
    private, public = (posted(instance, "Said", visibility=each)["uri"] for each in ("private", "public"))
    unsigned = httpx.get(public, headers=AS_PEER)
    assert (unsigned.headers["cache-control"], unsigned.headers["vary"]) == ("public, max-age=180", "Accept, Signature")
    for answer in (follower.get(private), follower.get(public), httpx.get(private, headers=AS_PEER)):
        assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private, no-store", "Accept, Signature")


def test_what_a_follower_is_given_from_memory_is_given_to_nobody_else(
    instance: LiveInstance, follower: Peer, acquaintance: Peer, stranger: Peer
) -> None:
    uri = posted(instance, "For followers", visibility="private")["uri"]
    unproven = {**follower.signed_get(uri), "Date": "Tue, 18 Aug 2026 12:00:00 GMT"}
    for _ in range(3):
        assert follower.get(uri).json()["id"] == uri
        assert {asker.get(uri).status_code for asker in (acquaintance, stranger)} == {404}
        assert httpx.get(uri, headers=AS_PEER).status_code == 404
        assert httpx.get(uri, headers=unproven).status_code == 404


def test_a_note_that_its_signer_asks_for_again_comes_from_memory_as_it_came_first(
    instance: LiveInstance, follower: Peer
) -> None:
    uri = posted(instance, "For followers", visibility="private")["uri"]
    first, before = follower.get(uri), instance.server.pages.found
    again = follower.get(uri)
    assert instance.server.pages.found == before + 1
    assert (again.status_code, again.content) == (first.status_code, first.content)
    passing = ("date", "x-request-id")
    headers = [{name: each.headers[name] for name in each.headers if name not in passing} for each in (first, again)]
    assert headers[0] == headers[1]
    page = follower.get(uri, headers=follower.signed_get(uri) | {"Accept": "text/html"})
    assert (page.status_code, instance.server.pages.found) == (302, before + 1)


def test_a_key_that_was_replaced_opens_nothing_that_is_in_memory(
    instance: LiveInstance, account: Any, acquaintance: Peer
) -> None:
    uri = whispered(instance, account, acquaintance)
    assert [acquaintance.get(uri).status_code for _ in range(2)] == [200, 200]
    withdrawn = acquaintance.signed_get(uri)
    acquaintance.new_key()
    assert [acquaintance.get(uri).status_code for _ in range(2)] == [200, 200]
    before = instance.server.pages.found
    assert acquaintance.get(uri, headers=withdrawn).status_code == 404
    assert instance.server.pages.found == before


def test_who_unfollows_sees_no_more_of_it(instance: LiveInstance, account: Any) -> None:
    with running_peer("una") as peer:
        known(instance, peer)
        asked = become_follower(instance, account, peer)
        uri = posted(instance, "For followers", visibility="private")["uri"]
        assert peer.get(uri).status_code == 200
        peer.post(f"{account['uri']}/inbox", peer.activity("Undo", asked))
        instance.settled()
        assert peer.get(uri).status_code == 404


def test_for_whom_an_author_blocks_there_is_nothing_even_of_what_is_public(
    instance: LiveInstance, account: Any, acquaintance: Peer
) -> None:
    blocker, blocked = int(account["id"]), account_of(instance, acquaintance)
    public, direct = posted(instance, "Said")["uri"], whispered(instance, account, acquaintance)
    pages = [public, f"{public}/activity", f"{public}/replies", direct]
    assert {acquaintance.get(page).status_code for page in pages} == {200}
    command = BlockAccount(blocker=blocker, blocked=blocked, activity=f"{account['uri']}/blocks/{blocked}")
    instance.run(instance.server.do(block, command))
    instance.settled()
    never = acquaintance.get(f"{account['uri']}/statuses/1")
    for page in pages:
        assert (acquaintance.get(page).status_code, acquaintance.get(page).content) == (404, never.content)
    assert acquaintance.get(f"{account['uri']}/outbox?page=true").json()["orderedItems"] == []
    assert httpx.get(public, headers=AS_PEER).status_code == 200
    instance.run(instance.server.do(block, UnblockAccount(blocker=blocker, blocked=blocked)))
    instance.settled()
    assert {acquaintance.get(page).status_code for page in pages} == {200}


def test_what_we_sign_fetches_with_is_served_without_a_look_at_who_asks(
    instance: LiveInstance, account: Any, stranger: Peer
) -> None:
    for actor in (f"{instance.origin}/actor", account["uri"]):
        assert stranger.get(actor).status_code == 200
    assert not stranger.fetched


def test_two_servers_that_check_everything_do_not_wait_for_each_other(
    instance: LiveInstance, account: Any, acquaintance: Peer
) -> None:
    """Asked for the key that it signs with, the other one asks for ours first, signed as well."""
    uri, served, asked = whispered(instance, account, acquaintance), acquaintance.served, list[int]()

    def strict(path: str) -> Any:
        asked.extend(acquaintance.get(each).status_code for each in (f"{instance.origin}/actor", account["uri"]))
        return served(path)

    acquaintance.new_key()
    acquaintance.served = strict
    assert acquaintance.get(uri).status_code == 200
    assert asked == [200, 200]
