"""Events that can't be understood, and a projector that is far behind: the rest goes on, and nothing is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from adapters.codec import Codec, Sealed
from adapters.config import load_settings
from adapters.first_start import attached
from adapters.master_key import load_master_key
from adapters.postgres import generations
from adapters.postgres.writer import GroupWriter, NewEvent
from domain.events import Event
from domain.post import PostPublished
from tests.federation.peer import Peer, running_peer
from tests.system.faults import live_rows, owner_of
from tests.system.sites import Site, environ_of, running_sites

ANSWER_TIMEOUT_S = 60.0
# Several batches of the projector's; more of them take longer, and show nothing else.
MISSED = 5_000
FIRST = 1_000


class PostLevitated(Event, frozen=True, tag="post.levitated"):
    """What a version to come may know of."""

    post: int


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_sites(tmp_path_factory.mktemp("events"), "localhost", people=5) as (site,):
        yield site


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as made:
        yield made


def appended(site: Site, events: Sequence[tuple[str, Sealed]]) -> list[int]:
    """Write events that begin streams into a site's log; gives their positions."""
    settings = attached(load_settings(environ_of(site)))
    assert settings.database_app_url is not None
    writer = GroupWriter(settings.database_app_url)
    try:
        waiting = [writer.submit([NewEvent(stream, 1, sealed)]) for stream, sealed in events]
        return [position for one in waiting for position in one.result(ANSWER_TIMEOUT_S).positions]
    finally:
        writer.close()


def codec_of(site: Site) -> Codec:
    return Codec(load_master_key(load_settings(environ_of(site))))


def daybook(site: Site, *arguments: str) -> str:
    """What a command says, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "workers.cli", *arguments],
        env=environ_of(site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def parked(site: Site) -> dict[int, str]:
    return dict(live_rows(site, "SELECT received_at_position, reason FROM parked WHERE waits_for IS NULL"))


def test_an_event_that_nobody_here_understands_is_set_aside_alone_and_shown(site: Site) -> None:
    person, codec = site.person(), codec_of(site)
    whole = codec.seal("post:2", PostLevitated(post=2))
    broken = Sealed("post.published", whole.state[:-1] + bytes([whole.state[-1] ^ 1]), whole.wrapped_key)
    unknown, garbled = appended(site, [("post:1", codec.seal("post:1", PostLevitated(post=1))), ("post:2", broken)])
    assert person.says("Behind both of them")["content"] == "<p>Behind both of them</p>"
    assert {unknown: "unknown kind of event 'post.levitated'"}.items() <= parked(site).items()
    assert "wrong key" in parked(site)[garbled]
    for position in (unknown, garbled):
        told = daybook(site, "log", "show", "--from", str(position), "--to", str(position))
        assert f"set aside: {parked(site)[position]}" in told, told


def test_a_fact_that_a_rule_fails_on_is_set_aside_and_taken_in_by_a_replay_of_mended_code(site: Site) -> None:
    person = site.person()
    with owner_of(site) as owner:
        live = generations.live(owner)
        assert live is not None
        # A rule that can't take what somebody says, as a wrong one would be.
        owner.execute(
            f"ALTER TABLE {live.schema}.status_revisions ADD CONSTRAINT faulty"
            " CHECK (json NOT LIKE '%unheard-of%') NOT VALID".encode()
        )
    poison = person.post("/api/v1/statuses", status="Something unheard-of")
    assert person.says("Something else")["content"] == "<p>Something else</p>"
    (position,) = [position for position, reason in parked(site).items() if "faulty" in reason]
    assert "CheckViolation" in parked(site)[position]
    assert person.client.get(f"/api/v1/statuses/{poison['id']}").status_code == 404
    assert "set aside: CheckViolation" in daybook(site, "log", "show", "--from", str(position), "--to", str(position))
    daybook(site, "replay", "--switch-anyway")
    assert person.get(f"/api/v1/statuses/{poison['id']}")["content"] == "<p>Something unheard-of</p>"
    assert position not in parked(site)


def posts_of_nobody_in_particular(site: Site, count: int) -> list[tuple[str, Sealed]]:
    """Sealed posts of an account without followers."""
    author, codec, now = int(site.person().id), codec_of(site), datetime.now(UTC)
    found: list[tuple[str, Sealed]] = []
    for post in range(FIRST, FIRST + count):
        uri = f"{site.origin}/ap/users/{author}/statuses/{post}"
        event = PostPublished(
            post=post, author=author, uri=uri, url=uri, visibility="public", published_at=now, text=f"Post {post}"
        )
        found.append((f"post:{post}", codec.seal(f"post:{post}", event)))
    return found


def test_a_projector_that_was_away_for_long_catches_up_while_everything_is_answered(site: Site, peer: Peer) -> None:
    person, other = site.person(), site.person()
    followed = peer.activity("Follow", person.uri)
    assert peer.post(f"{site.origin}/inbox", followed).status == 202
    assert peer.got.get(timeout=ANSWER_TIMEOUT_S)["type"] == "Accept"
    before, missed = person.says("Before"), posts_of_nobody_in_particular(site, MISSED)
    assert peer.got.get(timeout=ANSWER_TIMEOUT_S)["type"] == "Create"
    said_before = len(site.instance.said)
    behind = site.instance.member("workers.cli behind")
    os.kill(behind, signal.SIGSTOP)
    try:
        appended(site, missed)
        made = person.post("/api/v1/statuses", status="While nobody projects")
        assert made["content"] == "<p>While nobody projects</p>", "an answer is folded from what was decided"
        home = person.client.get("/api/v1/timelines/home")
        assert home.status_code == 200 and int(home.headers["Daybook-Behind"]) >= MISSED
        assert [status["id"] for status in home.json()] == [before["id"]], "what there is is shown"
        # What others may have touched can't be decided on before it is known what they did.
        refused = person.client.post(f"/api/v1/accounts/{other.id}/follow")
        assert refused.status_code == 503 and "Retry-After" in refused.headers
    finally:
        os.kill(behind, signal.SIGCONT)
    site.instance.wait_for("catching up with the log: event ", since=said_before)
    site.instance.wait_for("caught up with the log at event ", since=said_before)
    home = person.client.get("/api/v1/timelines/home")
    assert "Daybook-Behind" not in home.headers
    assert [status["id"] for status in home.json()] == [made["id"], before["id"]]
    assert live_rows(site, "SELECT count(*) FROM statuses WHERE id BETWEEN %s AND %s", FIRST, FIRST + MISSED) == [
        (MISSED,)
    ]
    told = peer.got.get(timeout=ANSWER_TIMEOUT_S)
    assert (told["type"], told["object"]["id"]) == ("Create", made["uri"])
    after = person.says("Afterwards")
    assert peer.got.get(timeout=ANSWER_TIMEOUT_S)["object"]["id"] == after["uri"], "each is told once, in order"
