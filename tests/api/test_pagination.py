"""Cursors are never refused, limits are clamped, and the Link header survives the clients' parsers."""

from typing import Any

import pytest
from litestar import Request

from api.pagination import ID_MAX, Page, link, page

ORIGIN = "https://a.example"


def asked(query: str, path: str = "/api/v1/timelines/home") -> Request[Any, Any, Any]:
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    return Request(scope)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        *[("", 20), ("limit=5", 5), ("limit=40", 40), ("limit=80", 40), ("limit=-5", 5), ("limit=0", 1)],
        *[("limit=x", 20), ("limit=", 20), ("limit[]=5", 20), ("limit=" + "9" * 5_000, 40)],
    ],
)
def test_limits_are_clamped_and_never_refused(query: str, limit: int) -> None:
    assert page(asked(query)).limit == limit


@pytest.mark.parametrize(
    ("cursor", "read"),
    [("109", 109), ("01ARZ3NDEKTSV4RRFFQ69G5FAV", None), ("", None), ("9" * 40, ID_MAX), ("-4", 0), ("\u0663", None)],
)
def test_a_cursor_that_is_no_id_of_ours_is_ignored(cursor: str, read: int | None) -> None:
    assert page(asked(f"max_id={cursor}".replace("\u0663", "%D9%A3"))).max_id == read


def test_min_id_reads_upwards_and_makes_since_id_count_for_nothing() -> None:
    both = page(asked("min_id=5&since_id=9&max_id=12"))
    assert (both.ascending, both.above, both.max_id) == (True, 5, 12)
    assert (page(asked("since_id=9")).ascending, page(asked("since_id=9")).above) == (False, 9)


def test_the_newest_comes_first_whichever_way_rows_were_read() -> None:
    assert Page(min_id=1).newest_first([2, 3, 4]) == [4, 3, 2]
    assert Page(since_id=1).newest_first([4, 3, 2]) == [4, 3, 2]


def test_links_are_absolute_sorted_and_hold_no_raw_comma_or_bracket() -> None:
    request = asked("types[]=mention&limit=40&q=a,b c&max_id=99&access_token=s", "/api/v1/notifications")
    assert link(request, ORIGIN, first=9, last=7) == {
        "Link": "<https://a.example/api/v1/notifications?limit=40&max_id=7&q=a%2Cb%20c&types%5B%5D=mention>; "
        'rel="next", <https://a.example/api/v1/notifications?limit=40&min_id=9&q=a%2Cb%20c&types%5B%5D=mention>; '
        'rel="prev"'
    }


def test_a_side_without_a_cursor_has_no_link_and_an_empty_page_no_header() -> None:
    request = asked("")
    assert link(request, ORIGIN, first=None, last=None) == {}
    assert link(request, ORIGIN, first=None, last=7)["Link"].count("rel=") == 1
    assert "since_id=9" in link(request, ORIGIN, first=9, last=None, newer="since_id")["Link"]
