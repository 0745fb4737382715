"""Two instances for the tables, and two people on them whom nobody knows yet."""

from collections.abc import Iterator

import pytest

from tests.system.sites import Pair, Person, running_sites


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """a.test and b.test, running."""
    with running_sites(tmp_path_factory.mktemp("two"), "a.test", "b.test", people=35) as sites:
        yield Pair(*sites)
        assert [line for site in sites for line in site.complaints()] == []


@pytest.fixture
def alice(two: Pair) -> Person:
    """Somebody on a.test whom nobody knows yet."""
    return two.a.person()


@pytest.fixture
def bob(two: Pair) -> Person:
    """Somebody on b.test whom nobody knows yet."""
    return two.b.person()


@pytest.fixture
def followed(alice: Person, bob: Person) -> str:
    """Bob follows alice; gives her id on b.test."""
    bob.follows(alice)
    return bob.finds(alice)
