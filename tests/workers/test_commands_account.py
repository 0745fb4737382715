"""`daybook account`: a log-in that works at once, and one sentence for whatever is not possible."""

import asyncio
import re

import psycopg
import pytest

from adapters.passwords import Passwords
from tests.workers.operator import Operator


def may_log_in(operator: Operator, username: str, password: str) -> bool:
    """Whether this password is theirs."""
    with psycopg.connect(operator.url) as connection:
        row = connection.execute("SELECT password_hash FROM app.users WHERE username = %s", [username]).fetchone()
    assert row is not None
    return asyncio.run(Passwords().check(row[0], password)).right


def test_an_account_is_made_with_a_password_that_is_printed_once(operator: Operator) -> None:
    said = operator.says("account", "create", "alice", "--email", "alice@a.test", "--role", "moderator")
    found = re.fullmatch(r"@alice can log in with the password (\S+)\.\n", said)
    assert found
    assert may_log_in(operator, "alice", found[1])


def test_a_given_password_is_taken_and_never_printed(operator: Operator) -> None:
    assert operator.says("account", "create", "alice", "--password", "correct horse") == "@alice can log in.\n"
    assert may_log_in(operator, "alice", "correct horse")


def test_an_accounts_address_begins_as_the_instance_was_founded_whatever_is_set_now(operator: Operator) -> None:
    operator.says("account", "create", "alice")
    (registered,) = [line for line in operator.lines("--topic", "account.registered") if line["position"] > 3]
    assert registered["event"]["uri"].startswith("http://localhost:3999/ap/users/")


def test_a_forgotten_password_is_replaced_by_a_printed_one(operator: Operator) -> None:
    said = operator.says("account", "password", "admin")
    assert may_log_in(operator, "admin", said.split()[-1])


def test_a_password_is_taken_from_standard_input(operator: Operator) -> None:
    assert operator.says("account", "password", "admin", "--stdin", stdin="battery staple\n") == (
        "The password is changed.\n"
    )
    assert may_log_in(operator, "admin", "battery staple")


def test_an_email_address_that_is_taken_costs_no_username(operator: Operator) -> None:
    assert "e-mail" in operator.refused("account", "create", "alice", "--email", "ADMIN@localhost")
    operator.says("account", "create", "alice")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "ADMIN"), "Username has already been taken"),
        (
            ("create", "no spaces"),
            "Username must contain only ASCII letters, numbers and underscores, with dots and dashes between",
        ),
        (("create", "alice", "--password", "short"), "A password has at least 8 characters."),
        (("create", "alice", "--password", "x" * 1_025), "A password has at most 1,024 bytes."),
        (("create", "alice", "--email", "nowhere"), "'nowhere' is no e-mail address."),
        (("create", "alice", "--stdin"), "There is no password on standard input."),
        (("password", "nobody"), "There is no local account 'nobody' with a log-in."),
    ],
)
def test_what_is_not_possible_is_said_in_a_sentence(
    operator: Operator, arguments: tuple[str, ...], sentence: str
) -> None:
    assert operator.refused("account", *arguments) == f"daybook: {sentence}"
