"""What peers get of an account that has other names, has moved, or is gone."""

from typing import Any

import httpx

from domain import account as accounts
from domain import post
from domain.account import ChangeProfile, DeleteAccount, MoveAccount, Profile
from domain.post import PublishPost, Visibility
from tests.federation.peer import Peer
from tests.instance import LiveInstance

AS_PEER = {"Accept": "application/activity+json"}


def created(instance: LiveInstance, name: str) -> int:
    number = instance.run(instance.server.accounts.create(name, None, "long enough a password"))
    instance.settled()
    return number


def done(instance: LiveInstance, concept: Any, command: Any) -> None:
    instance.run(instance.server.do(concept, command))
    instance.settled()


def published(instance: LiveInstance, author: int, visibility: Visibility) -> str:
    number, actor = instance.server.ids.next(), f"{instance.origin}/ap/users/{author}"
    uri, url = f"{actor}/statuses/{number}", f"{instance.origin}/@gone/{number}"
    done(
        instance,
        post,
        PublishPost(post=number, author=author, uri=uri, url=url, visibility=visibility, text="Said", length=4),
    )
    return uri


def test_an_actor_names_its_others_and_where_it_went(instance: LiveInstance, peer: Peer) -> None:
    number = created(instance, "mover")
    actor = f"{instance.origin}/ap/users/{number}"
    before = httpx.get(actor, headers=AS_PEER).json()
    assert (before["alsoKnownAs"], "movedTo" in before) == ([], False)
    done(instance, accounts, ChangeProfile(account=number, profile=Profile(also_known_as=(peer.actor,))))
    ((target,),) = instance.rows("SELECT id FROM accounts WHERE uri = %s", peer.actor)
    done(instance, accounts, MoveAccount(account=number, target=target, named_by_target=True))
    after = httpx.get(actor, headers=AS_PEER).json()
    assert (after["alsoKnownAs"], after["movedTo"]) == ([peer.actor], peer.actor)


def test_of_an_account_that_is_gone_there_are_only_tombstones(instance: LiveInstance) -> None:
    number = created(instance, "gone")
    actor, resource = f"{instance.origin}/ap/users/{number}", f"acct:gone@{instance.settings.domain}"
    public, private = (published(instance, number, each) for each in ("public", "private"))
    webfinger = f"{instance.origin}/.well-known/webfinger?resource={resource}"
    assert (httpx.get(webfinger).status_code, httpx.get(actor, headers=AS_PEER).status_code) == (200, 200)
    done(instance, accounts, DeleteAccount(account=number))
    for uri in (actor, public, f"{public}/activity"):
        answer = httpx.get(uri, headers=AS_PEER)
        assert (answer.status_code, answer.json()["type"], answer.json()["id"]) == (410, "Tombstone", uri)
    assert httpx.get(private, headers=AS_PEER).status_code == 404
    for name in ("outbox", "outbox?page=true", "followers", "following", "collections/featured", "collections/tags"):
        assert httpx.get(f"{actor}/{name}", headers=AS_PEER).status_code == 410
    assert httpx.get(webfinger).status_code == 410
