"""However collections are written and wherever they lead, a few pages are read and a few items taken."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.activitypub.fetch import Fetcher
from adapters.gathering import ITEMS_MAX, PAGES_MAX, items_of
from tests.adapters.activitypub.fetch_peers import Network, document, fetching, network

pytestmark = pytest.mark.anyio
BOX = "https://good.test/box"


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Network]:
    async with network(tmp_path) as made:
        yield made


@pytest.fixture
async def fetcher(net: Network) -> AsyncIterator[Fetcher]:
    async with fetching(net) as made:
        yield made


def page(net: Network, uri: str, **more: Any) -> None:
    net.answers[uri] = document(uri, **{"type": "OrderedCollectionPage", **more})


@pytest.mark.parametrize("name", ["items", "orderedItems"])
async def test_items_of_the_collection_itself(net: Network, fetcher: Fetcher, name: str) -> None:
    page(net, BOX, **{name: ["https://good.test/1", {"id": "https://good.test/2"}]})
    assert await items_of(fetcher.get_document, BOX) == ["https://good.test/1", {"id": "https://good.test/2"}]


async def test_items_of_the_first_page_and_the_next(net: Network, fetcher: Fetcher) -> None:
    page(net, BOX, first=f"{BOX}?1")
    page(net, f"{BOX}?1", orderedItems=["a"], next=f"{BOX}?2")
    page(net, f"{BOX}?2", orderedItems="b")
    assert await items_of(fetcher.get_document, BOX) == ["a", "b"]


async def test_a_first_page_that_is_embedded_is_read_where_it_stands(net: Network, fetcher: Fetcher) -> None:
    page(net, BOX, first={"id": f"{BOX}?1", "orderedItems": ["a"], "next": f"{BOX}?2"})
    page(net, f"{BOX}?2", orderedItems=["b"])
    assert await items_of(fetcher.get_document, BOX) == ["a", "b"]
    assert net.urls() == [BOX, f"{BOX}?2"]


@pytest.mark.parametrize("following", [BOX, f"{BOX}?1", "https://evil.test/box", "javascript:x", 7, {}])
async def test_pages_that_lead_in_circles_or_elsewhere_come_to_an_end(
    net: Network, fetcher: Fetcher, following: Any
) -> None:
    page(net, BOX, first=f"{BOX}?1")
    page(net, f"{BOX}?1", orderedItems=["a"], next=following)
    page(net, "https://evil.test/box", orderedItems=["evil"])
    assert await items_of(fetcher.get_document, BOX) == ["a"]


async def test_ever_new_pages_are_left_after_a_few(net: Network, fetcher: Fetcher) -> None:
    for number in range(10):
        page(net, f"{BOX}?{number}", orderedItems=[number], next=f"{BOX}?{number + 1}")
    assert await items_of(fetcher.get_document, f"{BOX}?0") == list(range(PAGES_MAX))


async def test_a_page_of_very_many_is_cut(net: Network, fetcher: Fetcher) -> None:
    page(net, BOX, orderedItems=list(range(5_000)))
    assert await items_of(fetcher.get_document, BOX) == list(range(ITEMS_MAX))
