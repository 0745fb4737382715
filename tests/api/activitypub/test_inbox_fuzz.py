"""Whatever a proven sender makes up, the answer is 202 or 400 and the projector goes on."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.federation.peer import Peer
from tests.instance import LiveInstance

EXAMPLES_MAX = 150
KEYS = ["id", "type", "actor", "object", "to", "cc", "content", "tag", "attributedTo", "inReplyTo", "published", "url"]
KINDS = ["Create", "Update", "Delete", "Follow", "Accept", "Reject", "Undo", "Like", "Note", "Person", "Tombstone"]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


def junk(peer: Peer) -> st.SearchStrategy[Any]:
    """JSON that looks the more like an activity the luckier it is."""
    uris = st.sampled_from([peer.actor, f"{peer.actor}/notes/1", "http://localhost/ap/users/1", "acct:x", ""])
    leaves = scalars | uris | st.sampled_from(KINDS)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
        max_leaves=20,
    )


# The instance's connection pools are in this process, and choose their moments by that module.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")
def test_signed_junk_is_never_an_error_of_ours(instance: LiveInstance, peer: Peer) -> None:
    @settings(max_examples=EXAMPLES_MAX, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        fixed = {"type": data.draw(st.sampled_from(KINDS)), "actor": peer.actor}
        made = data.draw(st.dictionaries(st.sampled_from(KEYS), junk(peer), max_size=8))
        body = json.dumps({**fixed, **made} if data.draw(st.booleans()) else {**made, **fixed}).encode()
        note(body.decode())
        assert peer.post(instance.inbox, body).status in (202, 400)

    fuzz()
    before = instance.head()
    assert peer.post(instance.inbox, peer.note("After all that junk")).status == 202
    assert instance.verdicts(before) == ["applied"]
    assert "<p>After all that junk</p>" in instance.home()
    poison = instance.rows("SELECT reason FROM parked WHERE waits_for IS NULL")
    assert poison == []
