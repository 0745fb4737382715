"""Settling: the only place with meaning. One function per kind of claim, checks first and changes last.

Each asks what is known as of this position and answers with an outcome, or with the URI that has to come first. What
waits: the signer's actor, the post of an Update, the follow of an Undo. A parent never holds up a reply, a Delete never
waits, a known URI never parks anything, and what is refused brings nothing. Federation §8.7, §8.8, §11; security B4.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from adapters.interpreter.claims import DUPLICATE, TOMBSTONED, Claim, refused
from adapters.interpreter.state import Known, Pair, State
from domain.account import AccountRegistered, KeyAdded, ProfileChanged
from domain.follow import (
    INITIAL,
    Follow,
    FollowAccepted,
    FollowEnded,
    FollowRejected,
    FollowRequested,
    Stage,
    evolve,
    stream_of,
)
from domain.post import PostDeleted, PostEdited, PostPublished
from projections.fact import APPLIED


class Outcome(msgspec.Struct, frozen=True):
    """What came of a claim: a fact without its place. `pair`, `request` and `parent` complete its event."""

    verdict: str
    kind: str
    actor: int | None = None
    object: int | None = None
    stream: str | None = None
    pair: Pair | None = None
    request: str = ""
    parent: int | None = None


class Wait(msgspec.Struct, frozen=True):
    """This has to be known first."""

    uri: str


Settled = Outcome | Wait


def settle(claim: Claim, position: int, state: State) -> Settled:
    """Decide on a claim at `position`, the later of its receipt and of all that it waited for, and change `state`."""
    if claim.verdict is not None:
        return _verdict(claim, state, claim.verdict)
    if claim.local:
        return _LOCAL.get(claim.kind, _local_other)(claim, position, state)
    return _REMOTE[claim.kind](claim, position, state)


def _verdict(claim: Claim, state: State, verdict: str, about: Known | None = None) -> Outcome:
    return Outcome(
        verdict=verdict,
        kind=claim.kind,
        actor=_signer(claim, state),
        object=about.id if about is not None else None,
    )


def _refused(claim: Claim, state: State, reason: str, about: Known | None = None) -> Outcome:
    return _verdict(claim, state, refused(reason), about)


def _signer(claim: Claim, state: State) -> int | None:
    """The signer's id: it has one from the first activity on, whether the account is known or not."""
    return None if claim.actor is None else state.ids[claim.actor]


def _known_signer(claim: Claim, state: State) -> Settled | int:
    """The id of the account that signed; or why nothing can come of the claim (yet)."""
    assert claim.actor is not None, "a claim with a kind has an actor"
    known = state.known[claim.actor]
    if known is None:
        return Wait(claim.actor)
    if known.kind != "account":
        return _refused(claim, state, "wrong kind", known)
    return known.owner


def _account(claim: Claim, position: int, state: State) -> Settled:
    uri, account = claim.object, _signer(claim, state)
    assert uri is not None and account is not None and uri == claim.actor, "an account speaks for itself"
    known = state.known[uri]
    if known is None:
        state.know(uri, Known(kind="account", id=account, owner=account, object=None, since=position))
        return Outcome(APPLIED, "account.registered", account, account)
    if known.kind != "account":
        return _refused(claim, state, "wrong kind", known)
    return Outcome(APPLIED, "account.profile_changed", account, account)


def _create(claim: Claim, position: int, state: State) -> Settled:
    author, uri = _known_signer(claim, state), claim.object
    if not isinstance(author, int):
        return author
    assert uri is not None, "a Create names its object"
    known = state.known[uri]
    if known is not None:
        return _created_again(claim, state, author, known)
    post = state.ids[uri]
    assert post is not None, "what a claim brings has an id"
    fresh = Known(kind="post", id=post, owner=author, object=None, since=position, updated=claim.updated)
    if state.tombs[uri, author]:
        state.know(uri, msgspec.structs.replace(fresh, gone=True))
        return _refused(claim, state, "deleted before it came", fresh)
    state.know(uri, fresh)
    return _published(claim, state, fresh)


def _created_again(claim: Claim, state: State, author: int, known: Known) -> Outcome:
    """Only what a fetch has brought before its delivery is no repeat."""
    assert claim.object is not None, "a Create names its object"
    if known.kind != "post":
        return _refused(claim, state, "wrong kind", known)
    if known.owner != author:
        return _refused(claim, state, "not the owner", known)
    if known.delivered or known.gone:
        return _verdict(claim, state, DUPLICATE, known)
    state.know(claim.object, msgspec.structs.replace(known, delivered=True))
    return _published(claim, state, known)


def _published(claim: Claim, state: State, post: Known) -> Outcome:
    parent = state.known[claim.parent] if claim.parent is not None else None
    in_reply_to = parent.id if parent is not None and parent.kind == "post" else None
    return Outcome(APPLIED, claim.kind, post.owner, post.id, parent=in_reply_to)


def _update(claim: Claim, position: int, state: State) -> Settled:
    editor, uri = _known_signer(claim, state), claim.object
    if not isinstance(editor, int):
        return editor
    assert uri is not None, "an Update names its object"
    known = state.known[uri]
    if known is None:
        return Wait(uri)
    reason = _why_not_edit(claim, known, editor)
    if reason is not None:
        return _refused(claim, state, reason, known)
    state.know(uri, msgspec.structs.replace(known, updated=claim.updated))
    return Outcome(APPLIED, claim.kind, editor, known.id)


def _why_not_edit(claim: Claim, known: Known, editor: int) -> str | None:
    if known.kind != "post":
        return "wrong kind"
    if known.owner != editor:
        return "not the owner"
    if known.gone:
        return "gone"
    if claim.updated is None:
        return "no updated"
    if known.updated is not None and claim.updated <= known.updated:
        return "older than what is known"
    return None


def _delete(claim: Claim, position: int, state: State) -> Settled:
    signer, uri = _signer(claim, state), claim.object
    assert uri is not None and signer is not None, "a Delete names its object and its signer has an id"
    known = state.known[uri]
    if known is None:
        if state.tombs[uri, signer]:
            return _verdict(claim, state, DUPLICATE)
        state.bury(uri, signer)
        return _verdict(claim, state, TOMBSTONED)
    if known.kind != "post":
        return _refused(claim, state, "wrong kind", known)
    if known.owner != signer:
        return _refused(claim, state, "not the owner", known)
    if known.gone:
        return _verdict(claim, state, DUPLICATE, known)
    state.know(uri, msgspec.structs.replace(known, gone=True))
    return Outcome(APPLIED, claim.kind, signer, known.id)


def _follow(claim: Claim, position: int, state: State) -> Settled:
    follower = _known_signer(claim, state)
    if not isinstance(follower, int):
        return follower
    assert claim.object is not None and claim.activity is not None, (
        "a Follow names whom, and has an id or stands for it"
    )
    followee, request = state.known[claim.object], state.known[claim.activity]
    if followee is None:
        return _refused(claim, state, "no such account")
    if followee.kind != "account":
        return _refused(claim, state, "wrong kind", followee)
    if request is not None and (request.kind != "follow" or request.owner != follower):
        return _refused(claim, state, "its id names something else", followee)
    pair = follower, followee.owner
    relation = state.relations[pair]
    # A silenced request is remembered too: an Undo may name this one.
    asked = Known(kind="follow", id=None, owner=follower, object=followee.owner, since=position)
    state.know(claim.activity, asked if request is None else msgspec.structs.replace(asked, since=request.since))
    if relation.stage is Stage.FOLLOWING or relation == Follow(Stage.REQUESTED, claim.activity):
        return _verdict(claim, state, DUPLICATE, followee)
    state.relate(pair, Follow(Stage.REQUESTED, claim.activity))
    return _turned(claim.kind, pair, claim.activity, by_follower=True)


def _answer(claim: Claim, position: int, state: State) -> Settled:
    followee = _known_signer(claim, state)
    if not isinstance(followee, int):
        return followee
    named = state.known[claim.object] if claim.object is not None else None
    follower = state.known[claim.inner_actor] if claim.inner_actor is not None else None
    if named is not None and (named.kind != "follow" or named.object != followee):
        return _refused(claim, state, "not asked of the actor")
    if named is not None:
        pair = named.owner, followee
    elif follower is not None:
        pair = follower.owner, followee
    else:
        return _refused(claim, state, "no such request")
    relation = state.relations[pair]
    # An id that we don't know is the other server's own writing of a request of this pair.
    request = claim.object if named is not None else relation.request
    if relation.stage is Stage.NONE or request != relation.request:
        return _refused(claim, state, "no such request")
    if claim.kind == "follow.accepted" and relation.stage is Stage.FOLLOWING:
        return _verdict(claim, state, DUPLICATE, follower)
    accepted = Follow(Stage.FOLLOWING, relation.request)
    state.relate(pair, accepted if claim.kind == "follow.accepted" else INITIAL)
    return _turned(claim.kind, pair, relation.request, by_follower=False)


def _undo(claim: Claim, position: int, state: State) -> Settled:
    follower = _known_signer(claim, state)
    if not isinstance(follower, int):
        return follower
    if claim.object is not None:
        named = state.known[claim.object]
        if named is not None:
            return _undone(claim, state, follower, named)
        if state.brought_by_parked(claim.object):
            return Wait(claim.object)
    if claim.inner_object is not None:
        followee = state.known[claim.inner_object]
        if followee is None or followee.kind != "account":
            return _refused(claim, state, "no such account")
        if state.relations[follower, followee.owner].stage is not Stage.NONE:
            return _ended(claim, state, (follower, followee.owner))
    return Wait(claim.object) if claim.object is not None else _refused(claim, state, "nothing to undo")


def _undone(claim: Claim, state: State, follower: int, named: Known) -> Outcome:
    if named.kind != "follow":
        return _refused(claim, state, "wrong kind", named)
    if named.owner != follower:
        return _refused(claim, state, "not the actor's to undo")
    assert named.object is not None, "a follow has two ends"
    return _ended(claim, state, (follower, named.object))


def _ended(claim: Claim, state: State, pair: Pair) -> Outcome:
    relation = state.relations[pair]
    if relation.stage is Stage.NONE:
        return _verdict(claim, state, DUPLICATE)
    state.relate(pair, INITIAL)
    return _turned(claim.kind, pair, relation.request, by_follower=True)


def _turned(kind: str, pair: Pair, request: str, *, by_follower: bool) -> Outcome:
    actor, other = pair if by_follower else (pair[1], pair[0])
    return Outcome(APPLIED, kind, actor, other, stream=stream_of(*pair), pair=pair, request=request)


def _local_account(claim: Claim, position: int, state: State) -> Settled:
    event = claim.event
    assert isinstance(event, AccountRegistered), "the topic says so"
    state.know(event.uri, Known(kind="account", id=event.account, owner=event.account, object=None, since=position))
    return Outcome(APPLIED, claim.kind, event.account, event.account, stream=claim.stream)


def _local_post(claim: Claim, position: int, state: State) -> Settled:
    event = claim.event
    assert isinstance(event, PostPublished | PostEdited | PostDeleted), "the topic says so"
    if isinstance(event, PostPublished):
        state.know(event.uri, Known(kind="post", id=event.post, owner=event.author, object=None, since=position))
    elif isinstance(event, PostDeleted):
        uri = state.uris[event.post]
        known = state.known[uri] if uri is not None else None
        if uri is not None and known is not None:
            state.know(uri, msgspec.structs.replace(known, gone=True))
    return Outcome(APPLIED, claim.kind, event.author, event.post, stream=claim.stream)


def _local_follow(claim: Claim, position: int, state: State) -> Settled:
    """It was decided, but the log may hold a remote activity between: an answer to what was undone does no harm."""
    event = claim.event
    assert isinstance(event, FollowRequested | FollowAccepted | FollowRejected | FollowEnded), "the topic says so"
    pair = event.follower, event.followee
    relation = state.relations[pair]
    after = evolve(relation, event)
    by_follower = isinstance(event, FollowRequested | FollowEnded)
    turned = _turned(claim.kind, pair, event.request, by_follower=by_follower)
    if isinstance(event, FollowRequested):
        known = Known(kind="follow", id=None, owner=event.follower, object=event.followee, since=position)
        state.know(event.request, known)
        if relation.stage is Stage.FOLLOWING:
            after = relation
    if after == relation:
        again = by_follower or (relation.stage is Stage.FOLLOWING and event.request == relation.request)
        verdict = DUPLICATE if again else refused("overtaken")
        return msgspec.structs.replace(turned, verdict=verdict, stream=claim.stream)
    state.relate(pair, after)
    return msgspec.structs.replace(turned, stream=claim.stream)


def _local_other(claim: Claim, position: int, state: State) -> Settled:
    event = claim.event
    account = event.account if isinstance(event, ProfileChanged | KeyAdded) else None
    return Outcome(APPLIED, claim.kind, account, account, stream=claim.stream)


_Rule = Callable[[Claim, int, State], Settled]
_REMOTE: Final[dict[str, _Rule]] = {
    "account.registered": _account,
    "post.published": _create,
    "post.edited": _update,
    "post.deleted": _delete,
    "follow.requested": _follow,
    "follow.accepted": _answer,
    "follow.rejected": _answer,
    "follow.ended": _undo,
}
_LOCAL: Final[dict[str, _Rule]] = {
    "account.registered": _local_account,
    "post.published": _local_post,
    "post.edited": _local_post,
    "post.deleted": _local_post,
    "follow.requested": _local_follow,
    "follow.accepted": _local_follow,
    "follow.rejected": _local_follow,
    "follow.ended": _local_follow,
}
