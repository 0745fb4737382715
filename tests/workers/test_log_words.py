"""Every kind of event has words for people, and says by whom it is and about what."""

import json

import msgspec
import pytest

from adapters.postgres.reading_log import Entry, Names
from domain.block import AccountBlocked
from domain.catalogue import BY_TOPIC
from domain.events import Event, topic_of
from tests.domain.test_golden_events import LINES
from workers.log_parties import parties_of
from workers.log_words import sentence

NAMES = Names(uris={7: "https://a.test/7"}, handles={65536: "alice", 98304: "ann@good.test"})


def entry(event: Event) -> Entry:
    return Entry(position=3, stream="s", version=1, topic=topic_of(event), event=event)


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["type"])
def test_no_event_is_called_by_its_name_in_the_code(line: str) -> None:
    event = msgspec.json.decode(line, type=BY_TOPIC[json.loads(line)["type"]])
    said = sentence(entry(event), NAMES)
    assert type(event).__name__ not in said and said.startswith("event 3")
    parties = parties_of(entry(event))
    nobodys = ("ActivityReceivedAgain", "ActivityReceived", "WaitingExpired")
    assert (parties.actors and parties.objects) or type(event).__name__ in nobodys


def test_what_one_did_to_another_names_both() -> None:
    blocked = AccountBlocked(blocker=65536, blocked=98304, activity="https://a.test/blocks/1")
    assert "@alice blocked @ann@good.test; not interpreted yet" in sentence(entry(blocked), NAMES)
    parties = parties_of(entry(blocked))
    assert (parties.actors, parties.objects) == ({65536}, {98304, "https://a.test/blocks/1"})
