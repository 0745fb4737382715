"""What peers and people get at our addresses: actors, posts, collections, and how to find them."""

from typing import Any

import pytest

from tests.instance import LiveInstance

AS_PEER = {"Accept": 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'}
AS_PERSON = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


@pytest.fixture
def admin(instance: LiveInstance) -> str:
    """The path of admin's actor."""
    account = instance.client.get("/api/v1/accounts/verify_credentials").json()["id"]
    return f"/ap/users/{account}"


def posted(instance: LiveInstance, text: str, **more: Any) -> Any:
    answer = instance.client.post("/api/v1/statuses", json={"status": text, **more})
    assert answer.status_code == 200, answer.text
    instance.settled()
    return answer.json()


def test_an_actor_has_all_that_peers_look_for(instance: LiveInstance, admin: str) -> None:
    answer = instance.client.get(admin, headers=AS_PEER)
    assert answer.headers["content-type"] == "application/activity+json; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    document, actor = answer.json(), f"{instance.origin}{admin}"
    assert document["id"] == actor
    assert document["type"] == "Person"
    assert document["preferredUsername"] == "admin"
    assert document["inbox"] == f"{actor}/inbox"
    assert document["endpoints"] == {"sharedInbox": instance.inbox}
    assert document["publicKey"]["id"] == f"{actor}#main-key"
    assert document["publicKey"]["owner"] == actor
    assert document["publicKey"]["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----")
    assert document["published"].endswith("T00:00:00Z")
    assert "icon" not in document


ACCEPTS = pytest.mark.parametrize(
    ("accept", "status"),
    [
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreams"', 200),
        ("application/activity+json, application/ld+json", 200),
        ("application/activity+json", 200),
        ("application/json", 200),
        ("application/activity+json, text/html;q=0.5", 200),
        ("text/html, application/activity+json;q=0.5", 302),
        ("application/activity+json;q=0, text/html", 302),
        (AS_PERSON["Accept"], 302),
        ("*/*", 302),
        ("", 302),
    ],
)


@ACCEPTS
def test_people_get_the_page_and_peers_the_document(
    instance: LiveInstance, admin: str, accept: str, status: int
) -> None:
    answer = instance.client.get(admin, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["vary"]) == (status, "Accept")
    assert answer.headers.get("location") == (f"{instance.origin}/@admin" if status == 302 else None)


@ACCEPTS
def test_so_it_is_with_posts_and_their_activities(instance: LiveInstance, accept: str, status: int) -> None:
    post = posted(instance, "For both")
    for address in (post["uri"], f"{post['uri']}/activity"):
        answer = instance.client.get(address, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["vary"]) == (status, "Accept, Signature")
        assert answer.headers.get("location") == (post["url"] if status == 302 else None)
        if status == 200:
            assert answer.headers["content-type"] == "application/activity+json; charset=utf-8"


@pytest.mark.parametrize("path", ["/ap/users/1", "/ap/users/x", "/ap/users/1/outbox", f"/ap/users/{'9' * 30}"])
def test_nobody_is_not_found(instance: LiveInstance, path: str) -> None:
    assert instance.client.get(path, headers=AS_PEER).status_code == 404


def test_the_instance_actor_is_there_for_everybody(instance: LiveInstance) -> None:
    document = instance.client.get("/actor").json()
    assert (document["type"], document["id"]) == ("Application", f"{instance.origin}/actor")
    assert document["publicKey"]["publicKeyPem"] == instance.server.instance_pem
    assert instance.client.get("/actor/outbox").json()["totalItems"] == 0


@pytest.mark.parametrize("visibility", ["public", "unlisted"])
def test_what_everybody_may_see_is_a_note(instance: LiveInstance, admin: str, visibility: str) -> None:
    status = posted(instance, "Hello #world", visibility=visibility, spoiler_text="greeting", language="en")
    answer = instance.client.get(f"{admin}/statuses/{status['id']}", headers=AS_PEER)
    note, followers = answer.json(), f"{instance.origin}{admin}/followers"
    assert (answer.status_code, note["id"]) == (200, status["uri"])
    assert (note["type"], note["attributedTo"]) == ("Note", f"{instance.origin}{admin}")
    assert (note["summary"], note["sensitive"]) == ("greeting", True)
    assert note["contentMap"] == {"en": note["content"]}
    assert [(tag["type"], tag["name"]) for tag in note["tag"]] == [("Hashtag", "#world")]
    there, copy = (PUBLIC, followers) if visibility == "public" else (followers, PUBLIC)
    assert (note["to"], note["cc"]) == ([there], [copy])
    page = instance.client.get(f"{admin}/statuses/{status['id']}", headers=AS_PERSON)
    assert (page.status_code, page.headers["location"]) == (302, status["url"])


@pytest.mark.parametrize("visibility", ["private", "direct"])
def test_what_not_everybody_may_see_was_never_there(instance: LiveInstance, admin: str, visibility: str) -> None:
    status = posted(instance, "For few", visibility=visibility)
    asked = f"{admin}/statuses/{status['id']}"
    hidden, absent = (instance.client.get(path, headers=AS_PEER) for path in (asked, f"{admin}/statuses/1"))
    assert (hidden.status_code, hidden.content) == (404, absent.content)
    instance.client.delete(f"/api/v1/statuses/{status['id']}").raise_for_status()
    instance.settled()
    assert instance.client.get(asked, headers=AS_PEER).status_code == 404


def test_a_deleted_post_leaves_a_tombstone(instance: LiveInstance, admin: str) -> None:
    status = posted(instance, "Soon gone")
    instance.client.delete(f"/api/v1/statuses/{status['id']}").raise_for_status()
    instance.settled()
    answer = instance.client.get(f"{admin}/statuses/{status['id']}", headers=AS_PEER)
    assert (answer.status_code, answer.json()["type"], answer.json()["id"]) == (410, "Tombstone", status["uri"])


def test_the_addresses_that_people_share_lead_peers_to_the_documents(instance: LiveInstance, admin: str) -> None:
    status = posted(instance, "Shared by its page")
    for page, there in ((f"{instance.origin}/@Admin", admin), (status["url"], f"{admin}/statuses/{status['id']}")):
        answer = instance.client.get(page, headers=AS_PEER)
        assert (answer.status_code, answer.headers["location"]) == (302, f"{instance.origin}{there}")
    for path in ("/@nobody", "/admin", "/@nobody/1", "/@admin/x"):
        assert instance.client.get(path, headers=AS_PEER).status_code == 404


def test_the_page_of_what_few_may_see_tells_nobody_that_it_is_there(instance: LiveInstance, admin: str) -> None:
    hidden = posted(instance, "Shared by nobody", visibility="private")
    for number, page in ((hidden["id"], hidden["url"]), ("1", f"{instance.origin}/@admin/1")):
        answer = instance.client.get(page, headers=AS_PEER)
        assert (answer.status_code, answer.headers["location"]) == (302, f"{instance.origin}{admin}/statuses/{number}")
        for accept in (AS_PEER, AS_PERSON):
            assert instance.client.get(page, headers=accept, follow_redirects=True).status_code == 404


def test_a_post_is_found_under_its_own_author_only(instance: LiveInstance) -> None:
    status = posted(instance, "Mine")
    assert instance.client.get(f"/ap/users/1/statuses/{status['id']}", headers=AS_PEER).status_code == 404


@pytest.mark.parametrize("name", ["followers", "following"])
def test_collections_count_and_name_nobody(instance: LiveInstance, admin: str, name: str) -> None:
    document = instance.client.get(f"{admin}/{name}", headers=AS_PEER).json()
    assert set(document) == {"@context", "id", "type", "totalItems"}
    assert document["id"] == f"{instance.origin}{admin}/{name}"


def webfinger(instance: LiveInstance, *resources: str, **more: Any) -> Any:
    return instance.client.get("/.well-known/webfinger", params={"resource": list(resources), **more})


def test_webfinger_finds_an_account_by_every_name_it_has(instance: LiveInstance, admin: str) -> None:
    domain, origin = instance.settings.domain, instance.origin
    names = [f"acct:admin@{domain}", f"acct:ADMIN@{domain.upper()}", f"{origin}{admin}", f"{origin}/@admin"]
    for name in names:
        answer = webfinger(instance, name)
        assert answer.headers["content-type"] == "application/jrd+json; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json()["subject"] == f"acct:admin@{domain}"
        links = {link["rel"]: link["href"] for link in answer.json()["links"]}
        assert links["self"] == f"{origin}{admin}"


def test_webfinger_gives_only_the_relations_asked_for(instance: LiveInstance) -> None:
    answer = webfinger(instance, f"acct:admin@{instance.settings.domain}", rel=["self", "nothing"])
    assert [link["rel"] for link in answer.json()["links"]] == ["self"]


def test_webfinger_knows_the_instance(instance: LiveInstance) -> None:
    domain, origin = instance.settings.domain, instance.origin
    for name in (f"acct:localhost@{domain}", f"{origin}/", f"{origin}/actor"):
        links = {link["rel"]: link["href"] for link in webfinger(instance, name).json()["links"]}
        assert links["self"] == f"{origin}/actor"


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ("", 400),
        ("admin", 400),
        ("acct:", 400),
        ("acct:a b@c", 400),
        ("acct:admin@elsewhere.test", 404),
        ("acct:nobody@localhost", 404),
        ("mailto:admin@localhost", 404),
        ("foo:bar", 404),
        ("https://elsewhere.test/@admin", 404),
        ("acct:" + "x" * 3_000, 400),
    ],
)
def test_webfinger_tells_no_uri_from_nobody(instance: LiveInstance, resource: str, status: int) -> None:
    assert webfinger(instance, resource).status_code == status


@pytest.mark.parametrize("name", ["a\0b", "ünï", "a%b", "..", "x" * 1_000])
def test_webfinger_knows_no_name_that_nobody_can_have(instance: LiveInstance, name: str) -> None:
    assert webfinger(instance, f"acct:{name}@{instance.settings.domain}").status_code == 404


def test_webfinger_needs_one_resource(instance: LiveInstance) -> None:
    assert instance.client.get("/.well-known/webfinger").status_code == 400
    assert webfinger(instance, "acct:a@b", "acct:c@d").status_code == 400


def test_host_meta_leads_to_webfinger(instance: LiveInstance) -> None:
    template = f"{instance.origin}/.well-known/webfinger?resource={{uri}}"
    xml = instance.client.get("/.well-known/host-meta")
    assert xml.headers["content-type"] == "application/xrd+xml; charset=utf-8"
    assert f'template="{template}"' in xml.text
    assert instance.client.get("/.well-known/host-meta.json").json()["links"][0]["template"] == template


def test_nodeinfo_says_what_runs_here(instance: LiveInstance) -> None:
    links = {link["rel"]: link["href"] for link in instance.client.get("/.well-known/nodeinfo").json()["links"]}
    ((users,),) = instance.rows("SELECT count(*) FROM accounts WHERE domain IS NULL AND deleted IS NULL")
    for version in ("2.0", "2.1"):
        answer = instance.client.get(links[f"http://nodeinfo.diaspora.software/ns/schema/{version}"])
        document = answer.json()
        assert (document["version"], document["software"]["name"]) == (version, "daybook")
        assert document["usage"]["users"]["total"] == users
        assert document["metadata"]["upstream"]["name"] == "mastodon"
        assert version in answer.headers["content-type"]


def test_what_is_too_large_for_others_is_refused_while_its_author_is_there(instance: LiveInstance) -> None:
    text = " ".join(f"#t{number:03}" for number in range(800))
    answer = instance.client.post("/api/v1/statuses", json={"status": text})
    assert (answer.status_code, "too large for other servers" in answer.json()["error"]) == (422, True)
    assert posted(instance, "\u65e5" * 5_000)["uri"]


def test_what_was_asked_for_before_shows_every_change_at_once(instance: LiveInstance, admin: str) -> None:
    status, bio = posted(instance, "As it was"), "Somebody else by now"
    before = [instance.client.get(path, headers=AS_PEER).json() for path in (status["uri"], admin)]
    assert [instance.client.get(path, headers=AS_PEER).json() for path in (status["uri"], admin)] == before
    instance.client.put(f"/api/v1/statuses/{status['id']}", json={"status": "As it is"}).raise_for_status()
    instance.client.patch("/api/v1/accounts/update_credentials", json={"note": bio}).raise_for_status()
    instance.settled()
    note, actor = (instance.client.get(path, headers=AS_PEER).json() for path in (status["uri"], admin))
    assert ("As it is" in note["content"], bio in actor["summary"]) == (True, True)
