"""What the translator makes of hostile, odd and oversized input. Shapes that peers really send: `tests/federation`."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.activitypub.actors import ALIASES_MAX
from adapters.activitypub.incoming import Translator
from adapters.activitypub.kinds import OPTIONS_MAX, POST_TYPES
from adapters.activitypub.notes import AUDIENCE_MAX, TAGS_MAX
from adapters.interpreter.claims import Claim, brings, names
from adapters.interpreter.ids import proposals
from domain.account import AccountRegistered
from domain.post import MENTIONS_MAX, PostPublished
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ALICE, ANN, BEN, MAL, OURS, PUBLIC, at, log_of

POST = "https://good.test/n/1"
FOLLOWERS = f"{ANN}/followers"


def claim_of(body: object, signer: str = ANN, inbox: str = "/inbox") -> Claim:
    (recorded,) = log_of([peers.received(signer, body, inbox)])
    return Translator(OURS).translate(recorded)


def document(body: object, uri: str = ANN) -> Claim:
    (recorded,) = log_of([peers.fetched(uri, body)])
    return Translator(OURS).translate(recorded)


def post_of(**more: Any) -> PostPublished:
    claim = claim_of(peers.create(POST, ANN, **more))
    assert isinstance(claim.event, PostPublished), claim.verdict
    return claim.event


def account_of(**more: Any) -> AccountRegistered:
    claim = document(peers.actor(ANN, **more))
    assert isinstance(claim.event, AccountRegistered), claim.verdict
    return claim.event


URIS = st.sampled_from(
    [ANN, BEN, MAL, ALICE, POST, FOLLOWERS, PUBLIC, OURS, "", "x", "https://", "https://[", "\ud7ff"]
)
WORDS = st.sampled_from(
    [
        "Create",
        "Update",
        "Delete",
        "Follow",
        "Accept",
        "Reject",
        "Undo",
        "Like",
        "Announce",
        "Block",
        "EmojiReact",
        "Add",
        "Remove",
        "Move",
        "Note",
        "Question",
        "Article",
        "Page",
        "Video",
        "ChatMessage",
        "Person",
        "Service",
        "Mention",
        "Hashtag",
        "Link",
    ]
)
TIMES = st.sampled_from(["2026-04-30T12:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "x", ""])
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | URIS | WORDS | TIMES
)
KEYS = st.sampled_from(
    [
        "id",
        "type",
        "actor",
        "object",
        "to",
        "cc",
        "bto",
        "audience",
        "tag",
        "name",
        "href",
        "attributedTo",
        "content",
        "contentMap",
        "summary",
        "summaryMap",
        "sensitive",
        "published",
        "updated",
        "url",
        "inReplyTo",
        "preferredUsername",
        "inbox",
        "outbox",
        "endpoints",
        "sharedInbox",
        "attachment",
        "icon",
        "image",
        "value",
        "width",
        "mediaType",
        "discoverable",
        "alsoKnownAs",
        "featured",
        "target",
        "oneOf",
        "anyOf",
        "en",
        "@id",
        "@type",
    ]
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=30
)
NOTES = st.fixed_dictionaries(
    {
        "id": st.just(POST),
        "type": st.sampled_from(sorted(POST_TYPES)) | st.just("Note"),
        "attributedTo": st.just(ANN),
    },
    optional=dict.fromkeys(
        (
            *("content", "contentMap", "summary", "to", "cc", "tag", "published", "updated", "url", "inReplyTo"),
            *("name", "mediaType", "oneOf", "anyOf", "attachment"),
        ),
        JSON,
    ),
)
ACTORS = st.fixed_dictionaries(
    {"id": st.just(ANN), "type": st.just("Person"), "preferredUsername": st.just("ann"), "inbox": st.just(FOLLOWERS)},
    optional=dict.fromkeys(("name", "summary", "icon", "image", "attachment", "endpoints", "url", "published"), JSON),
)
ACTIVITIES = st.fixed_dictionaries(
    {"type": WORDS, "actor": st.just(ANN) | JSON, "object": NOTES | ACTORS | URIS | JSON},
    optional={"id": JSON | URIS, "to": JSON, "target": JSON | URIS},
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=ACTIVITIES | JSON, inbox=st.sampled_from(["/inbox", "/ap/users/65536/inbox", "\0"]))
def test_no_json_makes_the_translator_raise(body: object, inbox: str) -> None:
    (recorded,) = log_of([peers.received(ANN, json.dumps(body).encode(), inbox)])
    claim = Translator(OURS).translate(recorded)
    assert claim.verdict or claim.kind
    assert all(len(uri.encode()) <= 2048 and "\0" not in uri for uri in names(claim))
    # Whatever may become known is of the signer's origin.
    brought = brings(claim)
    assert brought is None or brought.startswith(("https://good.test/", "unnamed:"))
    proposals(recorded.event, OURS)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=ACTORS | NOTES | JSON, uri=st.sampled_from([ANN, POST]))
def test_no_document_makes_the_translator_raise(body: object, uri: str) -> None:
    claim = document(json.dumps(body).encode(), uri)
    assert claim.verdict or (claim.kind, uri) in {("account.registered", ANN), ("post.published", POST)}


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=64))
def test_no_bytes_make_the_translator_raise(raw: bytes) -> None:
    assert (claim_of(raw).verdict or "").startswith(("refused: ", "not understood: "))


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b"not json", "refused: This is not JSON"),
        (b"[1]", "refused: The JSON is not an object"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "refused: The JSON is nested"),
        (b'{"type":"Follow","actor":"\\u0000"}', "refused: The JSON holds a NUL character"),
        ({"type": "Follow"}, "refused: no actor"),
        (peers.follow(BEN, ALICE), "unproven"),
        (peers.follow(ANN, ALICE) | {"id": "https://good.test/" + "x" * 5000}, "refused: activity id too long"),
        (peers.follow(ANN, ALICE) | {"id": "https://good.test/" + "é" * 1020}, "refused: activity id too long"),
        (peers.follow(ANN, ALICE) | {"id": [1]}, "refused: activity id is no string"),
        (peers.follow(ANN, ALICE) | {"id": "https://evil.test/f"}, "refused: activity id of another origin"),
        (peers.create("https://good.test/" + "x" * 5000, ANN), "refused: activity id too long"),
        (peers.create("https://evil.test/1", ANN) | {"id": None}, "refused: object id of another origin"),
        (peers.create(f"{OURS}/1", ANN) | {"id": None}, "refused: object id of another origin"),
        (peers.create(POST, ANN, attributedTo=BEN), "refused: not attributed to its actor"),
        (peers.create(POST, ANN, attributedTo=None), "refused: not attributed to its actor"),
        (peers.create(POST, ANN, id=None), "refused: object without id"),
        (peers.create(POST, ANN) | {"object": POST}, "refused: object not embedded"),
        (peers.create(POST, ANN) | {"object": []}, "refused: no object"),
        (peers.create(POST, ANN, type="x" * 5000), "not understood: Create of " + "x" * 100),
        ({"type": "Frobnicate", "actor": ANN}, "not understood: Frobnicate"),
        ({"type": ["Odd", "Delete"], "actor": ANN, "object": POST}, ""),
    ],
)
def test_what_can_t_be_is_refused_by_name(body: object, verdict: str) -> None:
    found = claim_of(body).verdict or ""
    assert found.startswith(verdict) and bool(found) == bool(verdict)
    assert len(found) < 200


@pytest.mark.parametrize(
    ("to", "cc", "visibility"),
    [
        ([PUBLIC], [], "public"),
        ([FOLLOWERS], [PUBLIC], "unlisted"),
        ([FOLLOWERS], [ALICE], "private"),
        ([ALICE], [FOLLOWERS], "private"),
        ([ALICE], [f"{MAL}/followers"], "direct"),
        ([ALICE], [], "direct"),
        (["https://good.test/#Public"], [], "direct"),
    ],
)
def test_addressing_is_visibility(to: list[str], cc: list[str], visibility: str) -> None:
    post = post_of(to=to, cc=cc)
    assert post.visibility == visibility
    assert set(post.audience) <= {ALICE}


def test_the_object_s_own_addressing_decides() -> None:
    claim = claim_of(peers.create(POST, ANN, to=[ALICE]) | {"to": [PUBLIC]})
    assert isinstance(claim.event, PostPublished) and claim.event.visibility == "direct"


def test_the_owner_of_a_private_inbox_survives_the_cap_on_the_audience() -> None:
    crowd = [f"https://far.test/u/{number}" for number in range(AUDIENCE_MAX + 50)]
    claim = claim_of(peers.create(POST, ANN, to=crowd), inbox="/ap/users/65536/inbox")
    assert isinstance(claim.event, PostPublished)
    assert claim.event.audience[0] == ALICE and len(claim.event.audience) == AUDIENCE_MAX


def test_what_comes_in_numbers_is_capped() -> None:
    mentions = [{"type": "Mention", "href": f"https://far.test/u/{number}"} for number in range(100)]
    hashtags = [{"type": "Hashtag", "name": f"#t{number}"} for number in range(100)]
    post = post_of(tag=[*mentions, *hashtags])
    assert (len(post.mentions), len(post.tags)) == (MENTIONS_MAX, TAGS_MAX)


def test_hashtags_that_fold_alike_are_one() -> None:
    assert post_of(
        tag=[{"type": "Hashtag", "name": name} for name in ("#Day", "day", "#DAY", "two words", "")]
    ).tags == ("Day",)


def test_published_is_never_later_than_the_receipt_and_stands_in_where_it_is_missing() -> None:
    for published in ("9999-01-01T00:00:00Z", "nonsense", None):
        assert post_of(published=published).published_at == at(1)
    zoned = post_of(published="2026-04-30T12:00:00+02:00").published_at
    assert zoned.utcoffset() == timedelta(0) and zoned.hour == 10


# Other kinds of objects


def test_what_is_no_note_is_cleaned_as_one() -> None:
    for kind in ("Article", "Page", "Image", "Video", "Audio", "Event"):
        post = post_of(
            type=kind,
            name="<img src=x onerror=y>T",
            content="<script>x</script><p>c</p>",
            url='https://good.test/"><script>',
            attachment=[{"type": "Link", "href": "javascript:x"}],
        )
        assert "<h2>T</h2><p>c</p>" in (post.html or "")
        assert not any(word in (post.html or "") for word in ("script>", "javascript", "onerror"))


def test_a_poll_s_options_can_be_read_and_are_capped() -> None:
    options = [{"type": "Note", "name": f"<b>{number}"} for number in range(100)]
    html = post_of(type="Question", oneOf=options).html or ""
    assert html.startswith("<p>hi</p><ul><li>0</li><li>1</li>") and html.count("<li>") == OPTIONS_MAX


@pytest.mark.parametrize("to", [[ALICE, BEN], [PUBLIC, ALICE], ALICE])
def test_a_chat_message_is_for_one_alone(to: object) -> None:
    post = post_of(type="ChatMessage", to=to, cc=[PUBLIC, FOLLOWERS])
    assert (post.visibility, post.audience) == ("direct", (ALICE,))


# Documents of posts


def test_a_fetched_post_is_its_author_s_and_no_delivery() -> None:
    claim = document(peers.note(POST, ANN), POST)
    assert (claim.actor, claim.kind, claim.object, claim.delivered) == (ANN, "post.published", POST, False)
    assert brings(claim) == POST


@pytest.mark.parametrize(
    ("uri", "body", "verdict"),
    [
        (POST, peers.note(f"{POST}?x", ANN), "refused: id is not where it was fetched from"),
        (POST, peers.note(POST, MAL), "refused: not attributed to somebody of its own origin"),
        (POST, peers.note(POST, ALICE), "refused: not attributed to somebody of its own origin"),
        (POST, peers.note(POST, ANN, attributedTo=None), "refused: not attributed to somebody of its own origin"),
        (POST, peers.note(POST, ANN, inReplyTo=POST), "refused: refers to itself"),
        (POST, peers.note(POST, ANN, to=None), "refused: addressed to nobody"),
        (POST, peers.note(POST, ANN, name="a", inReplyTo=ANN, content=None), "not understood: document of a vote"),
        (f"{OURS}/n/1", peers.note(f"{OURS}/n/1", ALICE), "refused: ours to say"),
        (POST, {"id": POST, "type": "Tombstone"}, "not understood: document of Tombstone"),
        (POST, peers.create(POST, ANN) | {"id": POST}, "not understood: document of Create"),
        ("https://good.test/" + "x" * 5000, None, "refused: id is no usable address"),
    ],
)
def test_a_document_that_can_t_be_believed_is_refused_by_name(uri: str, body: object, verdict: str) -> None:
    assert document(peers.note(uri, ANN) if body is None else body, uri).verdict == verdict


@pytest.mark.parametrize("name", ["", "ann@good.test", "ann⠀", "ａｎｎ", "..", "ann/../x", "x" * 256, "-ann", "ann\n"])  # noqa: RUF001 - look-alikes are the point
def test_a_username_that_could_mislead_is_refused(name: str) -> None:
    assert document(peers.actor(ANN, preferredUsername=name)).verdict == "refused: username"


@pytest.mark.parametrize("name", ["ann", "a", "an.n-e_1", "x" * 255])
def test_a_username_as_peers_have_them_is_kept(name: str) -> None:
    assert account_of(preferredUsername=name).username == name


def test_an_actor_reaches_only_to_its_own_origin() -> None:
    account = account_of(outbox=f"{MAL}/outbox", followers=FOLLOWERS, endpoints={"sharedInbox": f"{OURS}/inbox"})
    assert account.endpoints is not None
    assert (account.endpoints.outbox, account.endpoints.shared_inbox) == (None, None)
    assert account.endpoints.followers == FOLLOWERS
    assert document(peers.actor(ANN, inbox=f"{MAL}/inbox")).verdict == "refused: no inbox of its own origin"


def test_what_an_account_says_of_its_others_is_kept_as_far_as_it_can_be_one() -> None:
    assert account_of(alsoKnownAs=MAL).profile.also_known_as == (MAL,)
    mixed = [MAL, MAL, "acct:x@y", "javascript:x", {"id": BEN}, None, f"{MAL}/" + "x" * 3000]
    assert account_of(alsoKnownAs=mixed).profile.also_known_as == (MAL, BEN)
    crowd = [f"https://far.test/u/{number}" for number in range(1_000)]
    assert len(account_of(alsoKnownAs=crowd).profile.also_known_as) == ALIASES_MAX


def test_what_an_account_features_is_of_its_own_origin() -> None:
    featured = account_of(featured=f"{ANN}/featured").endpoints
    foreign = account_of(featured=f"{MAL}/featured").endpoints
    assert featured is not None and foreign is not None
    assert (featured.featured, foreign.featured) == (f"{ANN}/featured", None)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (peers.act("Move", ANN, BEN, target=MAL), "refused: not the actor itself"),
        (peers.act("Move", ANN, ANN, target=ANN), "refused: refers to itself"),
        (peers.act("Move", ANN, ANN), "refused: no target with a usable address"),
        (peers.act("Move", ANN, ANN, target="acct:x@y"), "refused: no target with a usable address"),
        (peers.act("Add", ANN, POST), "refused: not the actor's featured collection"),
        (peers.act("Add", ANN, POST, target=f"{MAL}/featured"), "refused: not the actor's featured collection"),
        (peers.act("Add", ANN, f"{MAL}/n/1", target=f"{ANN}/featured"), "refused: not the owner"),
        (peers.act("Add", ANN, {"type": "Hashtag", "name": "#x"}, target=ANN), "not understood: Add of Hashtag"),
        (peers.act("Remove", ANN, [POST, POST], target=ANN), "not understood: Remove of several objects"),
        (peers.act("Undo", ANN, peers.act("Add", ANN, POST, "a1")), "not understood: Undo of Add"),
    ],
)
def test_what_can_t_be_moved_or_featured_is_refused_by_name(body: object, verdict: str) -> None:
    assert claim_of(body).verdict == verdict


def test_the_domain_of_an_account_keeps_a_port_that_is_not_the_default() -> None:
    uri = "https://good.test:8443/u/ann"
    claim = document(peers.actor(uri), uri)
    assert isinstance(claim.event, AccountRegistered) and claim.event.domain == "good.test:8443"


def test_what_webfinger_answered_is_kept_for_whoever_understands_it() -> None:
    asked = "https://good.test/.well-known/webfinger?resource=acct%3Aann%40good.test"
    assert document({"subject": "acct:ann@good.test"}, asked).verdict == "not understood: WebFinger"


def test_a_document_is_believed_only_about_where_it_was_fetched_from() -> None:
    assert document(peers.actor(ANN), f"{ANN}?x").verdict == "refused: id is not where it was fetched from"
    assert document(peers.actor(ALICE), ALICE).verdict == "refused: ours to say"


def test_keys_with_an_at_sign_are_ignored() -> None:
    body = peers.follow(ANN, ALICE) | {"@type": "Delete", "@id": "https://evil.test/x"}
    assert claim_of(body).kind == "follow.requested"


def test_no_link_of_an_account_leads_out_of_the_web() -> None:
    account = account_of(
        url="javascript:x",
        icon={"url": "data:x"},
        image="file:///x",
        attachment=[{"type": "PropertyValue", "name": "<b>n</b>", "value": '<a href="javascript:x">v</a>'}] * 20,
    )
    assert account.url == ANN
    assert (account.profile.avatar, account.profile.header) == (None, None)
    assert len(account.profile.fields) == 6
    assert (account.profile.fields[0].name, account.profile.fields[0].value) == ("n", "v")
