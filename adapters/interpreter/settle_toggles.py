"""Settling what toggles besides follows: favourites, boosts, blocks and pins. A repeat is silent, its id remembered.

Who may see what somebody else wrote is not asked here; but of ours nobody likes what they could not see.
"""

import msgspec

from adapters.interpreter.claims import DUPLICATE, Claim
from adapters.interpreter.outcome import Outcome, Settled, Wait, known_account, known_signer, refused_by, verdict_on
from adapters.interpreter.state import OFF, Ends, Known, State, Toggle, ToggleKind
from domain.block import AccountBlocked, AccountUnblocked
from domain.boost import PostBoosted, PostUnboosted, may_boost
from domain.events import Event, topic_of
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import Stage
from domain.pin import PostPinned, PostUnpinned
from projections.fact import APPLIED


def like(claim: Claim, position: int, state: State) -> Settled:
    """A Like, or a reaction that is taken for one."""
    actor = known_signer(claim, state)
    if not isinstance(actor, int):
        return actor
    post = _post(claim, state)
    if not isinstance(post, Known):
        return post
    if claim.ours and not _was_shown(claim, state, actor, post):
        return refused_by(claim, state, "not for the actor to see", post)
    return _on(claim, position, state, "favourite", actor, post)


def boost(claim: Claim, position: int, state: State) -> Settled:
    """An Announce of a post, with an id of its own."""
    actor = known_signer(claim, state)
    if not isinstance(actor, int):
        return actor
    post = _post(claim, state)
    if not isinstance(post, Known):
        return post
    assert post.visibility is not None, "a post has a visibility"
    if not may_boost(actor, post.owner, post.visibility):
        return refused_by(claim, state, "not for passing on", post)
    return _on(claim, position, state, "boost", actor, post)


def block(claim: Claim, position: int, state: State) -> Settled:
    """Somebody elsewhere blocks somebody here."""
    actor = known_signer(claim, state)
    if not isinstance(actor, int):
        return actor
    blocked = known_account(claim, state)
    return _on(claim, position, state, "block", actor, blocked) if isinstance(blocked, Known) else blocked


def add_or_remove(claim: Claim, position: int, state: State) -> Settled:
    """A post of the signer's own, to or from the collection that their own document names as the featured one."""
    actor = known_signer(claim, state)
    if not isinstance(actor, int):
        return actor
    if claim.target != state.said[actor].featured:
        return refused_by(claim, state, "not the actor's featured collection")
    post = _post(claim, state)
    if not isinstance(post, Known):
        return post
    if post.owner != actor:
        return refused_by(claim, state, "not the owner", post)
    if post.visibility == "direct":
        return refused_by(claim, state, "not for showing", post)
    return _pin(claim, state, actor, post)


def _pin(claim: Claim, state: State, actor: int, post: Known) -> Outcome:
    assert post.id is not None, "a post has an id"
    ends: Ends = ("pin", actor, post.id)
    added = claim.kind == "post.pinned"
    if state.stands(ends) == added:
        return verdict_on(claim, state, DUPLICATE, post)
    state.turn(ends, Toggle(claim.activity) if added else OFF)
    if added:
        return _turned(PostPinned(account=actor, post=post.id, pinned_at=claim.at), actor, post.id)
    return _turned(PostUnpinned(account=actor, post=post.id, unpinned_at=claim.at), actor, post.id)


def off(claim: Claim, state: State, ends: Ends) -> Outcome:
    """What stands between these ends is taken back, whichever of its activities the Undo names."""
    standing = state.toggles[ends]
    kind, actor, about = ends
    event = _undone(kind, actor, about, standing, claim)
    if standing.activity is None:
        return msgspec.structs.replace(_turned(event, actor, about), verdict=DUPLICATE, event=None)
    state.turn(ends, OFF)
    return _turned(event, actor, about)


def _post(claim: Claim, state: State) -> Known | Settled:
    """The post that the claim acts on; or why nothing can come of it (yet)."""
    assert claim.object is not None, "it acts on a post"
    post = state.known[claim.object]
    if post is None:
        return refused_by(claim, state, "no such post") if claim.ours else Wait(claim.object)
    if post.kind != "post":
        return refused_by(claim, state, "wrong kind", post)
    if state.is_gone(post):
        return refused_by(claim, state, "gone", post)
    return post


def _was_shown(claim: Claim, state: State, actor: int, post: Known) -> bool:
    """Whether a post of ours was for the actor's eyes: addressed to them, or for the followers that they are among."""
    if post.visibility in ("public", "unlisted") or claim.actor in post.audience:
        return True
    return post.visibility == "private" and state.relations[actor, post.owner].stage is Stage.FOLLOWING


def _on(claim: Claim, position: int, state: State, kind: ToggleKind, actor: int, about: Known) -> Outcome:
    assert claim.activity is not None and about.id is not None and kind != "pin", "it has an id or stands for it"
    named = state.known[claim.activity]
    if named is not None and (named.kind != kind or named.owner != actor):
        return refused_by(claim, state, "its id names something else", about)
    own = state.ids[claim.activity] if kind == "boost" else None
    ends = kind, actor, about.id
    # A boost is a post with an id of its own, which does not come back: told again after it was undone, it is a retry.
    again = state.stands(ends) or (kind == "boost" and named is not None)
    event = None if again else _done(ends, claim.activity, own, claim)
    if named is None or kind != "boost":
        since = position if named is None else named.since
        # A silenced repeat is remembered too: an Undo may name this one.
        state.know(claim.activity, Known(kind=kind, id=own, owner=actor, object=about.id, since=since))
    if event is None:
        return verdict_on(claim, state, DUPLICATE, about)
    state.turn(ends, Toggle(claim.activity, own))
    return _turned(event, actor, about.id)


def _done(ends: Ends, activity: str, own: int | None, claim: Claim) -> Event:
    kind, actor, about = ends
    if kind == "favourite":
        return PostFavourited(account=actor, post=about, activity=activity, favourited_at=claim.at)
    if kind == "block":
        return AccountBlocked(blocker=actor, blocked=about, activity=activity, blocked_at=claim.at)
    assert own is not None and claim.visibility is not None and claim.at is not None, "a boost is complete"
    return PostBoosted(
        boost=own, account=actor, post=about, uri=activity, visibility=claim.visibility, boosted_at=claim.at
    )


def _undone(kind: ToggleKind, actor: int, about: int, standing: Toggle, claim: Claim) -> Event:
    activity = standing.activity or ""
    if kind == "favourite":
        return PostUnfavourited(account=actor, post=about, activity=activity, unfavourited_at=claim.at)
    if kind == "block":
        return AccountUnblocked(blocker=actor, blocked=about, activity=activity, unblocked_at=claim.at)
    return PostUnboosted(boost=standing.id or 0, account=actor, post=about, uri=activity, unboosted_at=claim.at)


def _turned(event: Event, actor: int, about: int) -> Outcome:
    return Outcome(APPLIED, topic_of(event), actor, about, event=event)
