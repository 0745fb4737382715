"""Settings: what the environment may say, and the one sentence that answers what it may not."""

from pathlib import Path

import pytest

from adapters.config import SettingsError, app_url_from, load_settings


def test_nothing_set_means_a_server_for_this_machine_alone() -> None:
    settings = load_settings({})
    assert (settings.domain, settings.bind, settings.port) == ("localhost:3000", "127.0.0.1", 3000)
    assert settings.data == Path.cwd() / "data"
    assert settings.origin == "http://localhost:3000"
    assert settings.loopback


def test_a_port_alone_moves_the_domain_along() -> None:
    assert load_settings({"DAYBOOK_PORT": "3001"}).origin == "http://localhost:3001"


@pytest.mark.parametrize(
    ("domain", "origin"),
    [
        ("social.example", "https://social.example"),
        ("Social.Example", "https://social.example"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("localhost.example", "https://localhost.example"),
        ("127.0.0.1.example", "https://127.0.0.1.example"),
        ("a.test", "http://a.test"),
        ("b.test:3001", "http://b.test:3001"),
    ],
)
def test_only_loopback_and_trial_names_speak_plain_http(domain: str, origin: str) -> None:
    names = "a.test=127.0.0.1:3001, b.test=[::1]:3002"
    assert load_settings({"DAYBOOK_DOMAIN": domain, "DAYBOOK_NAME_MAP": names}).origin == origin


def test_a_name_map_gives_an_address_and_a_port_for_each_name() -> None:
    settings = load_settings({"DAYBOOK_NAME_MAP": "a.test=127.0.0.1:3001,b.test=[::1]:3002"})
    assert settings.name_map == {"a.test": ("127.0.0.1", 3001), "b.test": ("::1", 3002)}


def test_proxies_are_trusted_by_address_or_network_and_none_by_default() -> None:
    settings = load_settings({"DAYBOOK_TRUSTED_PROXIES": "127.0.0.1, ::1,10.1.0.0/16"})
    assert settings.trusted_proxies == ("127.0.0.1/32", "::1/128", "10.1.0.0/16")
    assert load_settings({}).trusted_proxies == ()


def test_homes_are_kept_for_thirty_days_of_absence_or_as_many_as_are_set() -> None:
    assert load_settings({}).home_days == 30
    assert load_settings({"DAYBOOK_HOME_DAYS": "0"}).home_days == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DAYBOOK_DOMIAN", "x.test", "the nearest one is DAYBOOK_DOMAIN"),
        ("DAYBOOK_REDIS_URL", "redis://x", "the nearest one is REDIS_URL"),
        ("DATABASE_URI", "postgresql://root:secret@db/x", "rename it to DATABASE_URL"),
        ("DATABSE_URL", "postgresql:///x", "rename it to DATABASE_URL"),
        ("database_url", "postgresql:///x", "rename it to DATABASE_URL"),
        ("REDIS_URI", "redis://x", "rename it to REDIS_URL"),
        ("REDISURL", "redis://x", "rename it to REDIS_URL"),
        ("DAYBOOK_PORT", "0", "from 1 to 65535"),
        ("DAYBOOK_PORT", "http", "from 1 to 65535"),
        ("DAYBOOK_DOMAIN", "https://social.example", "a host name such as"),
        ("DAYBOOK_DOMAIN", "social.example:99999", "from 1 to 65535"),
        ("DAYBOOK_BIND", "localhost", "an IP address"),
        ("DATABASE_URL", "postgresql://root:se@secret/x@db/x", "write %40 for @"),
        ("DATABASE_URL", "mysql://root:secret@db/x", "begins with postgresql://"),
        ("REDIS_URL", "localhost:6379", "begins with redis://"),
        ("DAYBOOK_NAME_MAP", "a.test=10.0.0.1:3001", "not a loopback address"),
        ("DAYBOOK_NAME_MAP", "a.test=127.0.0.1", "must read like"),
        ("DAYBOOK_HOME_DAYS", "-1", "a number of days from 0"),
        ("DAYBOOK_HOME_DAYS", "never", "a number of days from 0"),
        ("DAYBOOK_HOME_DAYS", "99999", "to 36500"),
        ("DAYBOOK_TRUSTED_PROXIES", "proxy.example", "addresses or networks such as"),
        ("DAYBOOK_TRUSTED_PROXIES", "127.0.0.1,10.1.2.3/16", "addresses or networks such as"),
    ],
)
def test_what_cannot_be_used_is_answered_by_one_sentence(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        load_settings({name: value})
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_NAME",
        "DATABASE_HOST",
        "DATABASE_USER",
        "TEST_DATABASE_URL",
        "REDISCLI_AUTH",
        "REDIS_USER",
        "REDIS_HOST",
    ],
)
def test_what_belongs_to_other_programs_is_let_be(name: str) -> None:
    assert load_settings({name: "x"}) == load_settings({})


@pytest.mark.parametrize("instead", ["DATABASE_URL", "DAYBOOK_DATABASE_APP_URL"])
def test_a_name_that_is_nearly_right_is_let_be_beside_the_right_one(instead: str) -> None:
    load_settings({instead: "postgresql:///x", "DATABASE_URI": "postgresql:///x"})


@pytest.mark.parametrize(
    ("owner", "app"),
    [
        ("postgresql://daybook:x@/daybook?host=%2Frun", "postgresql://daybook_app:p%2Fw@/daybook?host=%2Frun"),
        ("postgresql://db.example:5433/d", "postgresql://daybook_app:p%2Fw@db.example:5433/d"),
        ("postgresql:///d", "postgresql://daybook_app:p%2Fw@/d"),
    ],
)
def test_the_applications_url_differs_from_the_owners_in_role_and_password_only(owner: str, app: str) -> None:
    assert app_url_from(owner, "p/w") == app
