"""What local commands decided passes through, and makes known what remote activities may name."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from adapters.interpreter.claims import Claim
from adapters.interpreter.outcome import Outcome, Settled
from adapters.interpreter.settle_follows import local_follow
from adapters.interpreter.state import Known, Said, State
from domain.account import AccountDeleted, AccountRegistered, ProfileChanged
from domain.boost import PostBoosted
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.post import PostDeleted, PostEdited, PostPublished
from projections.fact import APPLIED

_ACTORS: Final = ("account", "author", "follower", "blocker", "muter")
_OBJECTS: Final = ("post", "target", "followee", "blocked", "muted", "conversation", "account")


def settle_local(claim: Claim, position: int, state: State) -> Settled:
    """The fact of a local event."""
    event = claim.event
    match event:
        case FollowRequested() | FollowAccepted() | FollowRejected() | FollowEnded():
            return local_follow(claim, position, state, event)
        case AccountRegistered(account=account):
            state.know(event.uri, Known(kind="account", id=account, owner=account, object=None, since=position))
            state.say(account, Said(None, event.profile.also_known_as))
        case ProfileChanged():
            state.say(event.account, Said(None, event.profile.also_known_as))
        case AccountDeleted():
            state.depart(event.account)
        case PostPublished():
            state.know(event.uri, _post(event, position))
        case PostEdited(mentions=mentions) if mentions:
            _address(event.post, [mention.uri for mention in mentions], state)
        case PostDeleted():
            uri = state.uris[event.post]
            known = state.known[uri] if uri is not None else None
            if uri is not None and known is not None:
                state.know(uri, msgspec.structs.replace(known, gone=True))
        case PostBoosted(boost=boost, account=account, post=post):
            state.know(event.uri, Known(kind="boost", id=boost, owner=account, object=post, since=position))
        case _:
            pass
    actor, about = _first(event, _ACTORS), _first(event, _OBJECTS)
    return Outcome(APPLIED, claim.kind, actor, about, stream=claim.stream)


def _post(event: PostPublished, position: int) -> Known:
    return Known(
        kind="post",
        id=event.post,
        owner=event.author,
        object=None,
        since=position,
        visibility=event.visibility,
        audience=event.audience if event.visibility in ("private", "direct") else (),
    )


def _address(post: int, uris: Sequence[str], state: State) -> None:
    """Whom an edit mentions may see what is not for everybody, from then on."""
    uri = state.uris[post]
    known = state.known[uri] if uri is not None else None
    if uri is not None and known is not None and known.visibility in ("private", "direct"):
        audience = tuple(dict.fromkeys((*known.audience, *uris)))
        if audience != known.audience:
            state.know(uri, msgspec.structs.replace(known, audience=audience))


def _first(event: Any, fields: tuple[str, ...]) -> int | None:
    return next((getattr(event, field) for field in fields if hasattr(event, field)), None)
