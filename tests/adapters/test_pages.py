"""Pages hold until something that they are made from is touched, and take no more memory than they may."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.pages import LIFE_S_MAX, PAGES_SHARE, Pages
from adapters.postgres.touching import ENTITIES_MAX, Touched, heard
from domain.account import AccountDeleted
from domain.catalogue import KINDS
from domain.post import PostDeleted
from projections.touched import EVERYBODYS_POSTS, TOUCHES, account, posts_of, status, touched_by, viewer

BYTES_MAX = 1_000_000
NOTIFY_BYTES_MAX = 7_999
HEADERS = ((b"content-type", b"application/json"),)


class Clock:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def pages() -> Pages:
    made = Pages(BYTES_MAX)
    made.listening(True)
    return made


def keep(pages: Pages, key: str, *entities: int, body: bytes = b"page") -> None:
    made = pages.begin()
    made.all_of(*entities)
    pages.keep(key, made, HEADERS, body)


def test_a_page_is_there_until_one_of_its_entities_is_touched(pages: Pages) -> None:
    keep(pages, "a", 1, 2)
    keep(pages, "b", 2, 3)
    pages.touch([3, 4])
    assert pages.find("a") is not None
    assert pages.find("b") is None
    pages.touch([2])
    assert pages.find("a") is None


def test_a_page_whose_entity_was_touched_while_it_was_made_is_not_kept(pages: Pages) -> None:
    made = pages.begin()
    made.all_of(1)
    pages.touch([1])
    pages.keep("a", made, HEADERS, b"page of rows from before")
    assert pages.find("a") is None
    pages.touch([9])
    keep(pages, "a", 1)
    assert pages.find("a") is not None


def test_a_page_that_was_being_made_when_all_was_forgotten_is_not_kept(pages: Pages) -> None:
    made = pages.begin()
    made.all_of(1)
    pages.forget()
    pages.keep("a", made, HEADERS, b"page")
    assert pages.find("a") is None


def test_a_page_is_kept_only_when_all_that_it_is_made_from_is_said(pages: Pages) -> None:
    made = pages.begin()
    made.of(1)
    pages.keep("a", made, HEADERS, b"page")
    assert pages.find("a") is None


def test_there_are_no_pages_while_nobody_listens(pages: Pages) -> None:
    keep(pages, "a", 1)
    pages.listening(False)
    assert pages.find("a") is None
    keep(pages, "a", 1)
    assert pages.find("a") is None
    pages.listening(True)
    assert pages.find("a") is None


def test_everything_touched_leaves_nothing(pages: Pages) -> None:
    keep(pages, "a", 1)
    pages.touch(None)
    assert pages.find("a") is None
    assert (len(pages), pages.size) == (0, 0)


def test_a_page_ends_by_itself_after_a_while() -> None:
    clock = Clock()
    pages = Pages(BYTES_MAX, clock)
    pages.listening(True)
    made = pages.begin()
    made.all_of(1)
    made.life_s = 60
    pages.keep("soon", made, HEADERS, b"page")
    keep(pages, "late", 1)
    clock.time = 59
    assert pages.find("soon") is not None
    clock.time = 60
    assert pages.find("soon") is None
    assert pages.find("late") is not None
    clock.time = LIFE_S_MAX
    assert pages.find("late") is None


def test_memory_is_bounded_and_what_is_asked_for_stays_longest(pages: Pages) -> None:
    keep(pages, "asked for", 1)
    for number in range(1_000):
        keep(pages, f"page {number}", number, body=b"x" * 10_000)
        assert pages.size <= BYTES_MAX
        assert pages.find("asked for") is not None
    assert len(pages) > BYTES_MAX // 20_000
    assert pages.find("page 0") is None


def test_a_page_too_large_is_not_kept(pages: Pages) -> None:
    keep(pages, "large", 1, body=b"x" * (BYTES_MAX // PAGES_SHARE))
    keep(pages, "of many", *range(BYTES_MAX // PAGES_SHARE // 8))
    assert len(pages) == 0


def test_without_memory_there_are_no_pages() -> None:
    pages = Pages(0)
    pages.listening(True)
    keep(pages, "a", 1)
    assert pages.find("a") is None


@given(st.lists(st.tuples(st.sampled_from(["keep", "touch", "find"]), st.integers(0, 5)), max_size=60))
def test_however_much_was_touched_a_page_is_found_only_while_it_holds(deeds: list[tuple[str, int]]) -> None:
    pages, touches = Pages(BYTES_MAX), 0
    pages.listening(True)
    true: dict[int, bool] = {}
    for deed, number in deeds:
        if deed == "keep":
            keep(pages, str(number), number)
            true[number] = True
        elif deed == "touch":
            # So many others that what was touched before is forgotten now and then.
            pages.touch([number, *range(1_000 + touches, 10_000 + touches)])
            touches += 9_000
            true[number] = False
        elif not true.get(number, False):
            assert pages.find(str(number)) is None
    pages.touch([99])
    for number, holds in true.items():
        assert holds or pages.find(str(number)) is None


def test_every_kind_of_event_says_what_it_touches() -> None:
    assert set(TOUCHES) == set(KINDS)


def test_different_things_of_one_id_are_different_entities() -> None:
    number = 2**59 + 0x8001
    assert len({status(number), account(number), posts_of(number), viewer(number), EVERYBODYS_POSTS}) == 5
    assert max(status(number), viewer(number)) < 2**63


def test_what_is_touched_is_told_and_heard_however_much_it_is() -> None:
    for count in (1, 700, 701, ENTITIES_MAX):
        touched = Touched()
        touched.add([[-1, 2**62 + number] for number in range(count - 1)] or [[-1]])
        messages = list(touched.messages(7))
        assert all(len(message) <= NOTIFY_BYTES_MAX for message in messages)
        assert [heard(message).generation for message in messages] == [7] * len(messages)
        assert set(_entities(messages)) == touched.entities and len(touched.entities) == count


def _entities(messages: list[str]) -> Iterator[int]:
    for message in messages:
        yield from heard(message).entities or ()


def test_more_than_can_be_told_is_everything_and_nothing_is_not_told() -> None:
    touched = Touched()
    touched.add([[number] for number in range(ENTITIES_MAX + 1)])
    assert [heard(message).entities for message in touched.messages(7)] == [None]
    assert list(Touched().messages(7)) == []


def test_who_deletes_their_account_touches_everything() -> None:
    touched = Touched()
    touched.by(PostDeleted(post=1, author=2))
    touched.by(AccountDeleted(account=2))
    assert touched.everything
    assert touched_by(PostDeleted(post=1, author=2)) is not None
