"""The origin of a URI, on which every decision about trust rests."""

import pytest

from adapters.activitypub.guard import UrlRefused, canonical_url
from adapters.activitypub.urls import origin_of, same_origin, without_fragment

ODD = [
    "https://user:pw@good.test/",
    "https://good.test\\@evil.test/",
    "https://good.test%2eevil.test",
    "https://good.test./",
    "https://good..test/",
    "https://-good.test/",
    "https://xn--/",
    "https://xn--a/",
    f"https://{'a' * 64}.test/",
    f"https://{'a.' * 130}test/",
    "https://good.test:0/",
    "https://good.test:99999/",
    "https://good.test:/x",
    "https://good.test/\r\nHost: evil.test",
    "https://good.test/a b",
    "https://good.test/\tx",
    " https://good.test/",
    "https://good.test/\x7f",
    "https://good.test/a\\b",
    "https://good.test/\ud800",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://127.1/",
    "https:///path",
    "https:good.test",
    "//good.test/",
    "ftp://good.test/",
    "javascript:alert(1)",
    "acct:ann@good.test",
    "",
    "https://good.test/" + "x" * 2048,
]


@pytest.mark.parametrize("text", ODD)
def test_n07_n17_n18_what_parsers_read_differently_has_no_origin_and_is_not_fetched(text: str) -> None:
    assert origin_of(text) is None
    with pytest.raises(UrlRefused):
        canonical_url(text)


@pytest.mark.parametrize(
    ("text", "origin", "canonical"),
    [
        ("https://good.test/u/ann", "https://good.test", "https://good.test/u/ann"),
        ("HTTPS://GOOD.Test:443/A", "https://good.test", "https://good.test/A"),
        ("http://good.test:80", "http://good.test", "http://good.test/"),
        ("https://good.test?x=1", "https://good.test", "https://good.test/?x=1"),
        ("https://good.test:8443/u#k", "https://good.test:8443", "https://good.test:8443/u#k"),
        ("https://good.test#@evil.test/", "https://good.test", "https://good.test/#@evil.test/"),
        ("https://b\u00fccher.test/\u00fc", "https://xn--bcher-kva.test", "https://xn--bcher-kva.test/%C3%BC"),
        ("https://a\u3002test/", "https://a.test", "https://a.test/"),
        ("https://[2606:4700::0:1]/x", "https://[2606:4700::1]", "https://[2606:4700::1]/x"),
        ("https://192.0.2.1/x", "https://192.0.2.1", "https://192.0.2.1/x"),
    ],
)
def test_the_same_place_has_one_spelling(text: str, origin: str, canonical: str) -> None:
    assert origin_of(text) == origin
    assert canonical_url(text) == canonical
    assert canonical_url(canonical) == canonical


def test_origins_are_compared_with_scheme_and_port() -> None:
    assert same_origin("https://good.test/a#k", "https://GOOD.test:443/b")
    assert not same_origin("https://good.test/", "http://good.test/")
    assert not same_origin("https://good.test/", "https://good.test:8443/")
    assert not same_origin("https://good.test/", "https://sub.good.test/")


def test_what_has_no_origin_shares_it_with_nothing_not_even_itself() -> None:
    assert not same_origin("acct:ann@good.test", "acct:ann@good.test")


def test_a_key_lies_in_the_document_before_its_fragment() -> None:
    assert without_fragment("https://good.test/u/ann#main-key") == "https://good.test/u/ann"
