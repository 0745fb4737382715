"""Which keys claims may ask for, as far as URIs, ids and what is known have been read. Pure; `storage` reads them.

What a batch itself makes known need not be foreseen here: the claim that brings it asks for the same keys.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast

from adapters.interpreter.claims import UNDO, Claim
from adapters.interpreter.state import Ends, Pair, State, ToggleKind
from domain.account import AccountRegistered
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.post import PostPublished

_TURNED: Final[dict[str, ToggleKind]] = {
    "post.favourited": "favourite",
    "post.boosted": "boost",
    "account.blocked": "block",
    "post.pinned": "pin",
    "post.unpinned": "pin",
}
_UNDONE: Final[dict[str, ToggleKind]] = {
    "post.unfavourited": "favourite",
    "post.unboosted": "boost",
    "account.unblocked": "block",
}
_UNDOING: Final = frozenset({"follow.ended", *_UNDONE, UNDO})


def tombs(claims: Iterable[Claim], state: State) -> set[tuple[str, int]]:
    """(URI, signer) of what may have been deleted before it came."""
    asked: set[tuple[str, int]] = set()
    for claim in claims:
        if claim.kind in {"post.published", "post.deleted"} and claim.object is not None and claim.actor is not None:
            signer = state.ids[claim.actor]
            if signer is not None:
                asked.add((claim.object, signer))
    return asked


def accounts(claims: Iterable[Claim], state: State) -> set[int]:
    """The accounts that may be gone: who signed, and whose is what was named."""
    asked = {known.owner for known in state.known.values() if known is not None}
    for claim in claims:
        match claim.event:
            case AccountRegistered(account=account) | PostPublished(author=account) if claim.local:
                asked.add(account)
            case _:
                signer = state.ids[claim.actor] if claim.actor is not None else None
                if signer is not None:
                    asked.add(signer)
    return asked


def pairs(claims: Sequence[Claim], state: State) -> set[Pair]:
    """The pairs whose follow may matter: of whom a claim names, of the follow that it names, of liker and author."""
    # A post of the same batch is not known yet, but its author is.
    authors = {claim.event.uri: claim.event.author for claim in claims if isinstance(claim.event, PostPublished)}
    asked = {pair for claim in claims for pair in _pairs(claim, state)}
    for claim in claims:
        if claim.kind == "post.favourited" and claim.ours and claim.actor is not None and claim.object is not None:
            known = state.known[claim.object]
            liker, author = (
                state.ids[claim.actor],
                authors.get(claim.object, known.owner if known is not None else None),
            )
            if liker is not None and author is not None:
                asked.add((liker, author))
    return asked


def ends(claims: Iterable[Claim], state: State) -> set[Ends]:
    """The ends of the toggles that may be touched: as a claim gives them, and as those of the id that it names."""
    return {found for claim in claims if not claim.local for found in _ends(claim, state)}


def sayings(claims: Iterable[Claim], state: State) -> set[int]:
    """The accounts whose last word about themselves is asked for."""
    asked: set[int | None] = set()
    for claim in claims:
        if claim.local:
            continue
        if claim.kind in {"post.pinned", "post.unpinned"} and claim.actor is not None:
            asked.add(state.ids[claim.actor])
        elif claim.kind == "account.moved" and claim.object is not None:
            asked.add(state.ids[claim.object])
    return {account for account in asked if account is not None}


def undone(claims: Iterable[Claim]) -> set[str]:
    """The ids that an Undo names, behind which it may have to wait."""
    return {claim.object for claim in claims if claim.kind in _UNDOING and not claim.local and claim.object is not None}


def _pairs(claim: Claim, state: State) -> Iterator[Pair]:
    match claim.event:
        case FollowRequested() | FollowAccepted() | FollowRejected() | FollowEnded() if claim.local:
            yield claim.event.follower, claim.event.followee
            return
        case _:
            pass
    match claim.kind:
        case "follow.requested":
            both = (claim.actor, claim.object)
        case "follow.accepted" | "follow.rejected":
            both = (claim.inner_actor, claim.actor)
        case "follow.ended":
            both = (claim.actor, claim.inner_object)
        case "undo":
            both = (None, None)
        case _:
            return
    follower, followee = (state.ids[uri] if uri is not None else None for uri in both)
    if follower is not None and followee is not None:
        yield follower, followee
    named = state.known[claim.object] if claim.object is not None else None
    if named is not None and named.kind == "follow" and named.object is not None:
        yield named.owner, named.object


def _ends(claim: Claim, state: State) -> Iterator[Ends]:
    if claim.kind in _TURNED:
        kind, other = _TURNED[claim.kind], claim.object
    elif claim.kind in _UNDONE:
        kind, other = _UNDONE[claim.kind], claim.inner_object
    elif claim.kind == UNDO:
        kind, other = "pin", None
    else:
        return
    actor = state.ids[claim.actor] if claim.actor is not None else None
    about = state.ids[other] if other is not None else None
    if actor is not None and about is not None:
        yield kind, actor, about
    named = state.known[claim.object] if claim.object is not None else None
    if named is not None and named.object is not None and named.kind not in {"account", "post", "follow"}:
        yield cast(ToggleKind, named.kind), named.owner, named.object
