"""What is told to other servers, and to whom (federation §12). Sending is the deliverer's work.

The shared inboxes of followers get what is for followers; whoever is meant in person gets it in their own inbox, which
some peers insist on. What is taken back goes to everybody who got what it takes back.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from adapters.activitypub.documents import actor_document, note_document
from adapters.activitypub.outgoing import About, acceptance, activity_of, creation_by_edit
from adapters.reacting import Happened, Send
from domain.account import AccountDeleted, AccountMoved, KeyAdded, ProfileChanged
from domain.block import AccountBlocked, AccountUnblocked
from domain.boost import PostBoosted, PostUnboosted
from domain.events import Event, topic_of
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.pin import PostPinned, PostUnpinned
from domain.post import PostDeleted, PostEdited, PostPublished
from projections.actor_documents import LocalActor, LocalStatus, Mentioned, local_actor, local_note, mentioned_by
from workers.reactors.world import World

_encode = msgspec.json.encode
Document = dict[str, Any]


async def told(happened: Happened, world: World) -> Sequence[Send]:
    """What a local fact has to tell, and whom; nothing when nobody elsewhere is concerned."""
    event = happened.event
    if event is None:
        return ()
    return await _TELLERS[type(event)](event, happened, world)


async def accepted_again(follower: int, followee: int, request: str, position: int, world: World) -> Sequence[Send]:
    """One more Accept, for somebody who asks again although they follow already: the first was lost on its way."""
    known = await world.accounts(follower, followee)
    if follower not in known or followee not in known:
        return ()
    about = About(actor=known[followee].uri, object=known[follower].uri)
    activity = acceptance(about, request, position)
    return _sent(activity, followee, await world.inboxes_of(follower), about=about.object)


async def _post(event: PostPublished | PostEdited, happened: Happened, world: World) -> Sequence[Send]:
    row = await world.view.row(local_note(event.post))
    if row is None:
        return ()
    status = LocalStatus(*row)
    if status.deleted:
        return ()  # whoever has not got it needs not get it any more
    inboxes = await world.inboxes_of_audience(event.post)
    if status.visibility != "direct":
        inboxes += await world.inboxes_of_followers(event.author, happened.position)
    openly = status.visibility in ("public", "unlisted")
    if openly and status.in_reply_to is not None:
        post = await world.post(event.post)
        assert post is not None, "it was read just now"
        inboxes += await world.inboxes_of(post.answers)
    if not inboxes and isinstance(event, PostPublished):
        return ()  # most posts of a small instance: what they look like elsewhere need not be worked out
    mentioned = [Mentioned(*each) for each in await world.view.rows(mentioned_by(event.post))]
    about = About(actor=status.actor, object=status.uri, document=note_document(status, mentioned, world.domain))
    # Nobody comes to see a post by answering it, and nobody goes on seeing one by having been sent it once.
    widely = openly and isinstance(event, PostEdited)
    if widely:
        inboxes += await world.inboxes_of_concerned(event.post, happened.position)
    sent = _sent(activity_of(event, about), event.author, inboxes, about=status.uri, to_reached=widely)
    if isinstance(event, PostPublished):
        return sent
    fresh = await world.inboxes_of_mentioned_since(event.post, happened.position, happened.n)
    return [*_sent(creation_by_edit(event, about), event.author, fresh, about=status.uri), *sent]


async def _post_deleted(event: PostDeleted, happened: Happened, world: World) -> Sequence[Send]:
    post, author = await world.post(event.post), (await world.accounts(event.author)).get(event.author)
    if post is None or author is None:
        return ()
    inboxes = await world.inboxes_of_audience(event.post)
    if post.visibility != "direct":
        inboxes += await world.inboxes_of_followers(event.author, happened.position)
    inboxes += await world.inboxes_of_concerned(event.post, happened.position)
    activity = activity_of(event, About(actor=author.uri, object=post.uri))
    return _taken_back(_sent(activity, event.author, inboxes, about=post.uri, to_reached=True))


async def _boost(event: PostBoosted | PostUnboosted, happened: Happened, world: World) -> Sequence[Send]:
    about, author = await _about_post(event.account, event.post, world)
    if about is None:
        return ()
    inboxes = await world.inboxes_of_followers(event.account, happened.position)
    inboxes += await world.inboxes_of(author)
    undone = isinstance(event, PostUnboosted)
    sent = _sent(activity_of(event, about), event.account, inboxes, about=event.uri, to_reached=undone)
    return _taken_back(sent) if undone else sent


async def _favourite(event: PostFavourited | PostUnfavourited, happened: Happened, world: World) -> Sequence[Send]:
    about, author = await _about_post(event.account, event.post, world)
    if about is None:
        return ()
    return _sent(activity_of(event, about), event.account, await world.inboxes_of(author), about=event.activity)


async def _pin(event: PostPinned | PostUnpinned, happened: Happened, world: World) -> Sequence[Send]:
    about, _ = await _about_post(event.account, event.post, world)
    if about is None:
        return ()
    followers = await world.inboxes_of_followers(event.account, happened.position)
    return _sent(activity_of(event, about), event.account, followers, about=about.object)


async def _about_post(actor: int, post: int, world: World) -> tuple[About | None, int | None]:
    """A post that somebody acts on, and its author."""
    found = await world.post(post)
    if found is None:
        return None, None
    known = await world.accounts(actor, found.account)
    if actor not in known or found.account not in known:
        return None, None
    about = About(actor=known[actor].uri, object=found.uri, owner=known[found.account].uri)
    return about, found.account


async def _by_follower(event: FollowRequested | FollowEnded, happened: Happened, world: World) -> Sequence[Send]:
    sends = await _between(event, event.follower, event.followee, world)
    if isinstance(event, FollowEnded):
        return sends
    # Somebody here wants to hear from them now, however long their host has been away (federation §17).
    return [msgspec.structs.replace(send, at_once=True) for send in sends]


async def _by_followee(event: FollowAccepted | FollowRejected, happened: Happened, world: World) -> Sequence[Send]:
    return await _between(event, event.followee, event.follower, world)


async def _block(event: AccountBlocked | AccountUnblocked, happened: Happened, world: World) -> Sequence[Send]:
    return await _between(event, event.blocker, event.blocked, world)


async def _between(event: Event, actor: int, other: int, world: World) -> Sequence[Send]:
    """From one account to another, who is what it is about: follow, undo and follow must not overtake each other."""
    known = await world.accounts(actor, other)
    if actor not in known or other not in known or not known[actor].local:
        return ()
    about = About(actor=known[actor].uri, object=known[other].uri)
    return _sent(activity_of(event, about), actor, await world.inboxes_of(other), about=about.object)


async def _profile(event: ProfileChanged | KeyAdded, happened: Happened, world: World) -> Sequence[Send]:
    row = await world.view.row(local_actor(event.account))
    key = await world.keys.of_local(event.account)
    if row is None or key is None:
        return ()
    actor = LocalActor(*row)
    document = actor_document(actor, key.key_id, key.public_pem, origin=world.origin, domain=world.domain)
    about = About(actor=actor.uri, object=actor.uri, document=document)
    followers = await world.inboxes_of_followers(event.account, happened.position)
    return _sent(activity_of(event, about), event.account, followers, about=actor.uri)


async def _whole_account(event: AccountMoved | AccountDeleted, happened: Happened, world: World) -> Sequence[Send]:
    target = event.target if isinstance(event, AccountMoved) else event.account
    known = await world.accounts(event.account, target)
    if event.account not in known or target not in known:
        return ()
    about = About(actor=known[event.account].uri, object=known[target].uri)
    followers = await world.inboxes_of_followers(event.account, happened.position)
    return _sent(activity_of(event, about), event.account, followers, about=about.actor, to_reached=True)


def _sent(
    activity: Document, sender: int, inboxes: Iterable[str], *, about: str | None = None, to_reached: bool = False
) -> Sequence[Send]:
    found = list(dict.fromkeys(inboxes))
    if not found and not to_reached:
        return ()
    body = _encode(activity)
    return [
        Send(uri=activity["id"], sender=sender, body=body, inboxes=found, about=about, to_reached=to_reached),
    ]


def _taken_back(sends: Sequence[Send]) -> Sequence[Send]:
    """Who has not got it yet, because their host was away, needs not get it any more."""
    return [msgspec.structs.replace(send, withdraws=True) for send in sends]


_Teller = Callable[[Any, Happened, World], Awaitable[Sequence[Send]]]
_TELLERS: Final[dict[type[Event], _Teller]] = {
    PostPublished: _post,
    PostEdited: _post,
    PostDeleted: _post_deleted,
    PostBoosted: _boost,
    PostUnboosted: _boost,
    PostFavourited: _favourite,
    PostUnfavourited: _favourite,
    PostPinned: _pin,
    PostUnpinned: _pin,
    FollowRequested: _by_follower,
    FollowEnded: _by_follower,
    FollowAccepted: _by_followee,
    FollowRejected: _by_followee,
    AccountBlocked: _block,
    AccountUnblocked: _block,
    ProfileChanged: _profile,
    KeyAdded: _profile,
    AccountMoved: _whole_account,
    AccountDeleted: _whole_account,
}
KINDS: Final = frozenset(map(topic_of, _TELLERS))
"""The local facts that somebody elsewhere may have to be told of."""
