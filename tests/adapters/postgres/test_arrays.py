"""Packed arrays: PostgreSQL reads out of them what was put in."""

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.arrays import packed
from adapters.postgres.projecting import fails_again
from projections.catalogue import PROJECTIONS
from tests.database import Database

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "bytea": st.binary(),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "date": st.dates(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "timestamptz": st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - gets it there
}


@pytest.fixture
def owner(database: Database) -> psycopg.Connection:
    return psycopg.connect(database.owner, autocommit=True)


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gaps_come_back_in_their_order(owner: psycopg.Connection, kind: str) -> None:
    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.none() | KINDS[kind]))
    def check(values: list[Any]) -> None:
        assert owner.execute(f"SELECT %b::{kind}[]".encode(), [packed(kind, values)]).fetchone() == (values,)

    with owner:
        check()


def test_every_column_of_a_rule_is_of_a_kind_that_can_be_packed() -> None:
    assert {kind for one in PROJECTIONS for rule in one.rules for _, kind in rule.columns} <= KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "value"), [("text", "\0"), ("text", "\ud800"), ("bigint", 2**63), ("int", 2**31), ("date", "2026-01-01")]
)
def test_a_value_that_no_array_of_its_kind_holds_fails_as_it_would_again(
    owner: psycopg.Connection, kind: str, value: object
) -> None:
    with owner, pytest.raises(Exception) as raised:
        owner.execute(f"SELECT %b::{kind}[]".encode(), [packed(kind, [value])])
    assert fails_again(raised.value)


def test_an_unknown_kind_is_no_array() -> None:
    with pytest.raises(KeyError):
        packed("inet", [date(2026, 1, 1)])
