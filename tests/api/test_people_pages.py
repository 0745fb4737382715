"""The pages that accounts and statuses name as their `url`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.embedded.valkey import EmbeddedValkey
from domain.account import Profile
from tests.api.mastodon.world import World, running_world
from tests.database import Database
from tests.pictures import jpeg

pytestmark = pytest.mark.anyio

BROWSER = {"Accept": "text/html"}


@pytest.fixture
async def world(database: Database, valkey_server: EmbeddedValkey, tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(database, valkey_server.url, tmp_path) as world:
        yield world


async def test_a_profile_shows_what_everybody_may_see_and_escapes_what_people_typed(world: World) -> None:
    alice = await world.person("alice", Profile(display_name="<b>Al</b>", note="I <3 trees"))
    public = await alice.post("<script>alert(1)</script> for all")
    await alice.post("not for all", visibility="private")
    await world.settled()
    page = await world.anybody().raw("GET", "/@Alice", headers=BROWSER)
    assert page.status_code == 200
    assert "&lt;b&gt;Al&lt;/b&gt;" in page.text
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "not for all" not in page.text
    assert public["url"] in page.text
    assert "script-src" not in page.headers["content-security-policy"]


async def test_the_url_of_a_status_leads_to_it_and_only_under_its_author(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    public = await alice.post("for all", spoiler_text="careful")
    private = await alice.post("not for all", visibility="private")
    await world.settled()
    anybody = world.anybody()
    page = await anybody.raw("GET", public["url"], headers=BROWSER)
    assert "<summary>careful</summary><p>for all</p>" in page.text
    for path in (private["url"], f"/@{bob.name}/{public['id']}", "/@alice/x", "/@alice/1", "/@nobody", "/nothing"):
        gone = await anybody.raw("GET", path, headers=BROWSER)
        assert gone.status_code == 404
        assert gone.headers["content-type"].startswith("text/html")


async def test_a_posts_pictures_are_shown_with_their_words_and_covered_where_they_are_sensitive(world: World) -> None:
    alice = await world.person("alice")
    for sensitive in (False, True):
        media = await alice.upload(jpeg(), description='<a "cat">')
        status = await alice.post("look", media_ids=[media["id"]], sensitive=sensitive)
        await world.settled()
        page = await world.anybody().raw("GET", status["url"], headers=BROWSER)
        assert f'<img src="{media["preview_url"]}" alt="&lt;a &#34;cat&#34;&gt;"' in page.text
        assert ("<summary>Sensitive</summary>" in page.text) == sensitive


async def test_who_wants_activitypub_is_sent_to_the_document(world: World) -> None:
    alice = await world.person("alice")
    status = await alice.post("for all")
    await world.settled()
    for path, uri in (("/@alice", f"http://localhost:3000/ap/users/{alice.id}"), (status["url"], status["uri"])):
        answer = await world.anybody().raw("GET", path, headers={"Accept": "application/activity+json"})
        assert (answer.status_code, answer.headers["location"]) == (302, uri)
        assert "Accept" in answer.headers["vary"]
