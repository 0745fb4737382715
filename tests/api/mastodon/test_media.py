"""Pictures from upload to post: who may attach which, what everybody is shown, and what is left of them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from domain.account import Profile
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ANN
from tests.api.mastodon.world import ORIGIN, Person, World
from tests.pictures import MAKER, encoded, halves, jpeg, located_jpeg, opened, png_bomb

pytestmark = pytest.mark.anyio

STATUSES = "/api/v1/statuses"
MEDIA = "/api/v1/media"
KEYS = {"id", "type", "url", "preview_url", "remote_url", "preview_remote_url", "text_url", "meta", "description"}


def path_of(url: str) -> str:
    assert url.startswith(ORIGIN)
    return url.removeprefix(ORIGIN)


def ids(status: dict[str, Any]) -> list[str]:
    return [media["id"] for media in status["media_attachments"]]


async def test_an_upload_is_answered_when_it_is_done_with_all_that_clients_lay_out_by(world: World) -> None:
    alice = await world.person("alice")
    media = await alice.upload(jpeg(1_200, 900), description=" a flag ", focus="0.5,-0.25")
    assert set(media) == KEYS | {"blurhash"}
    assert {key for key, value in media.items() if value is None} == {"remote_url", "preview_remote_url", "text_url"}
    assert (media["type"], media["description"], len(media["blurhash"])) == ("image", "a flag", 28)
    assert media["meta"]["original"] == {"width": 1_200, "height": 900, "size": "1200x900", "aspect": 1_200 / 900}
    assert media["meta"]["small"]["size"] == "554x415"
    assert media["meta"]["focus"] == {"x": 0.5, "y": -0.25}
    assert await alice.get(f"{MEDIA}/{media['id']}") == media
    older = await alice.ask("POST", MEDIA, files={"file": ("cat.svg", jpeg(), "image/svg+xml")})
    assert older["url"].endswith(".jpg")


async def test_a_file_is_served_to_everybody_and_can_do_nothing_but_be_shown(world: World) -> None:
    alice, anybody = await world.person("alice"), world.anybody()
    media = await alice.upload(located_jpeg(6))
    for url in (media["url"], media["preview_url"]):
        answer = await anybody.raw("GET", path_of(url), headers={"Origin": "https://client.test"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["content-length"] == str(len(answer.content))
        shown = opened(answer.content)
        assert shown.size == (80, 120) and not dict(shown.getexif()) and not shown.getexif().get_ifd(0x8825)
        assert MAKER.encode() not in answer.content
        head = await anybody.raw("HEAD", path_of(url))
        assert (head.status_code, head.content) == (200, b"")


async def test_no_path_leads_out_of_the_pictures(world: World) -> None:
    alice, anybody = await world.person("alice"), world.anybody()
    name = path_of((await alice.upload(jpeg()))["url"]).removeprefix("/media/")
    wrongs = ["..%2fmaster.key", "%2e%2e%2f%2e%2e%2fmaster.key", "....//master.key", "incoming", "x", f"{name}%00"]
    wrongs += [name.upper(), f"{name[:2]}/{name}", name.replace(".jpg", ".html"), name.replace(".jpg", ".png")]
    for wrong in [*wrongs, f"%0a{name}", f"{name}%0a"]:
        answer = await anybody.raw("GET", f"/media/{wrong}")
        assert (answer.status_code, answer.json()) == (404, {"error": "Record not found"}), wrong
    for wrong in ("..", "../master.key", f"./{name}", f"../media/{name}", f"/{name}", f"{name}\n", "", "\x00"):
        assert world.server.media.files.open(wrong) is None
    assert (await anybody.raw("GET", f"/media/{name}")).status_code == 200


async def test_a_hostile_or_missing_file_is_refused_in_a_sentence(world: World) -> None:
    alice = await world.person("alice")
    before = {path for path in (world.settings.data / "media").rglob("*") if path.is_file()}
    for raw in (b"", b"GIF89a<script>", b"<svg onload='alert(1)'/>", jpeg()[:300], png_bomb(20_000, 20_000)):
        answer = await alice.upload(raw, 422)
        assert answer["error"].startswith("Validation failed: File "), answer
    for way in ({}, {"json": {"file": "x"}}, {"data": {"file": "x"}}, {"files": {"file": ("", b"")}}):
        assert "error" in await alice.ask("POST", "/api/v2/media", 422, **way)
    assert (await alice.ask("POST", "/api/v2/media", 400, files={"a": b"1", "b": b"2", "file": jpeg()}))["error"]
    for focus in ("1", "a,b", "2,0", "nan,0", "0,0,0"):
        await alice.upload(jpeg(), 422, focus=focus)
    await alice.upload(jpeg(), 422, description="x" * 10_001)
    assert {path for path in (world.settings.data / "media").rglob("*") if path.is_file()} == before


async def test_a_file_beyond_the_limit_is_too_large_whether_or_not_it_says_so(world: World) -> None:
    alice = await world.person("alice")
    answer = await alice.upload(bytes(16_777_217), 413)
    assert answer["error"] == "A file may have at most 16 MiB"

    async def endless() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield bytes(1_048_576)

    headers = {"Content-Type": "multipart/form-data; boundary=x", "Transfer-Encoding": "chunked"}
    await alice.ask("POST", "/api/v2/media", 413, content=endless(), headers=headers)
    text = {"description": "x" * 1_048_577}
    await alice.ask("POST", "/api/v2/media", 413, files={"file": jpeg()}, data=text)
    assert [path for path in (world.settings.data / "media" / "incoming").iterdir()] == []


async def test_pictures_are_shown_in_their_order_in_the_answer_and_through_every_door(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob", Profile(display_name="Bob"))
    await bob.follow(alice)
    wanted = [(await alice.upload(encoded(halves(9 + n, 9), "PNG")))["id"] for n in range(4)][::-1]
    status = await alice.post("", media_ids=wanted)
    assert ids(status) == wanted and status["content"] == ""
    assert await alice.get(f"{STATUSES}/{status['id']}") == status
    await world.settled()
    for page in (
        await bob.get("/api/v1/timelines/home"),
        await bob.get("/api/v1/timelines/public", only_media="true", local="true"),
        await bob.get("/api/v1/timelines/public", only_media="true"),
        await bob.get(f"/api/v1/accounts/{alice.id}/statuses", only_media="true"),
    ):
        assert ids(page[0]) == wanted
    await alice.post("words alone")
    await world.settled()
    for path in ("/api/v1/timelines/public", f"/api/v1/accounts/{alice.id}/statuses"):
        assert [one["id"] for one in await bob.get(path, only_media="1")] == [status["id"]]
    assert await bob.get("/api/v1/timelines/public", only_media="1", remote="1") == []


async def test_only_ones_own_that_no_other_post_has_can_be_attached(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    of_bob, own = (await bob.upload(jpeg()))["id"], (await alice.upload(jpeg()))["id"]
    refused = await alice.ask("POST", STATUSES, 422, json={"status": "x", "media_ids": [own, of_bob]})
    assert refused["error"] == f"Validation failed: Media {of_bob} not found or already attached to another post"
    await alice.ask("POST", STATUSES, 422, json={"status": "x" * 5_001, "media_ids": [own]})
    posts = [alice.raw("POST", STATUSES, json={"status": str(n), "media_ids": [own]}) for n in range(4)]
    answers = await asyncio.gather(*posts)
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]
    await alice.get(f"{MEDIA}/{own}", 404)
    for someone, number in ((alice, own), (alice, of_bob), (bob, own), (bob, "1"), (bob, "x")):
        await someone.ask("PUT", f"{MEDIA}/{number}", 404, json={"description": "mine"})
        await someone.ask("DELETE", f"{MEDIA}/{number}", 404)
    await bob.get(f"{MEDIA}/{of_bob}")


async def test_the_same_key_attaches_once_and_a_second_request_is_no_error(world: World) -> None:
    alice = await world.person("alice")
    own = (await alice.upload(jpeg()))["id"]
    how: dict[str, Any] = {"json": {"status": "once", "media_ids": [own]}, "headers": {"Idempotency-Key": "k"}}
    first, second = [await alice.ask("POST", STATUSES, **how) for _ in range(2)]
    assert first["id"] == second["id"] and ids(first) == ids(second) == [own]


async def test_what_is_said_of_a_picture_may_change_until_it_is_posted(world: World) -> None:
    alice = await world.person("alice")
    own = (await alice.upload(jpeg(), description="a cat", focus="0.5,0.5"))["id"]
    path = f"{MEDIA}/{own}"
    changed = await alice.ask("PUT", path, json={"description": "a dog"})
    assert (changed["description"], changed["meta"]["focus"]) == ("a dog", {"x": 0.5, "y": 0.5})
    changed = await alice.ask("PATCH", path, data={"focus": "0,-1"})
    assert (changed["description"], changed["meta"]["focus"]) == ("a dog", {"x": 0.0, "y": -1.0})
    assert (await alice.ask("PUT", path, data={"description": ""}))["description"] is None
    assert await alice.ask("DELETE", path) == {}
    await alice.get(path, 404)
    assert (await world.anybody().raw("GET", path_of(changed["url"]))).status_code == 404


async def test_an_edit_keeps_the_pictures_that_it_names_and_says_what_they_show(world: World) -> None:
    alice = await world.person("alice")
    one, two, three = [(await alice.upload(jpeg(), description=name))["id"] for name in ("one", "two", "three")]
    status = await alice.post("x", media_ids=[one, two])
    path = f"{STATUSES}/{status['id']}"
    attributes = [{"id": two, "description": "zwei", "focus": "0,1"}]
    edited = await alice.ask(
        "PUT", path, json={"status": "x", "media_ids": [three, two], "media_attributes": attributes}
    )
    assert edited == await alice.get(path)
    assert ids(edited) == [three, two] and edited["edited_at"] is not None
    assert [media["description"] for media in edited["media_attachments"]] == ["three", "zwei"]
    flat = {"status": "y", "media_ids[]": two, "media_attributes[][id]": two, "media_attributes[][description]": ""}
    edited = await alice.ask("PUT", path, data=flat)
    assert (edited["media_attachments"][0]["description"], edited["content"]) == (None, "<p>y</p>")
    assert edited["media_attachments"][0]["meta"]["focus"] == {"x": 0.0, "y": 1.0}
    assert ids(await alice.ask("PUT", path, json={"status": "y", "media_ids": [one]})) == [one]
    assert ids(await alice.ask("PUT", path, json={"status": "y"})) == []
    await world.settled()
    assert await alice.get(f"/api/v1/accounts/{alice.id}/statuses", only_media="1") == []
    assert (await alice.ask("PUT", path, 422, json={"status": ""}))["error"] == "Validation failed: Text can't be blank"


async def test_pictures_of_a_deleted_post_may_be_posted_again(world: World) -> None:
    alice = await world.person("alice")
    own = (await alice.upload(jpeg(), description="a cat"))["id"]
    status = await alice.post("x", media_ids=[own])
    gone = await alice.ask("DELETE", f"{STATUSES}/{status['id']}")
    assert ids(gone) == [own]
    again = await alice.post("y", media_ids=[own])
    assert again["media_attachments"][0]["description"] == "a cat"
    await alice.ask("DELETE", f"{STATUSES}/{again['id']}", params={"delete_media": "true"})
    await alice.ask("POST", STATUSES, 422, json={"status": "z", "media_ids": [own]})
    assert (await alice.raw("GET", path_of(again["media_attachments"][0]["url"]))).status_code == 404


async def test_what_stays_unattached_is_removed_with_its_files_and_nothing_else_is(world: World) -> None:
    alice = await world.person("alice")
    kept, left = [await alice.upload(jpeg()) for _ in range(2)]
    await alice.post("x", media_ids=[kept["id"]])
    now = world.server.now()
    assert await world.server.media.remove_unattached(now - timedelta(days=1)) == 0
    assert await world.server.media.remove_unattached(now + timedelta(days=1)) == 1
    await alice.get(f"{MEDIA}/{left['id']}", 404)
    for media, code in ((kept, 200), (left, 404)):
        for url in (media["url"], media["preview_url"]):
            assert (await alice.raw("GET", path_of(url))).status_code == code


async def test_many_uploads_at_once_are_all_answered(world: World) -> None:
    alice: Person = await world.person("alice")
    raw = [encoded(Image.new("RGB", (20 + n, 20), (n, n, n)), "PNG") for n in range(6)]
    found = await asyncio.gather(*(alice.upload(one) for one in raw))
    assert [media["meta"]["original"]["width"] for media in found] == [20 + n for n in range(6)]
    assert len({media["url"] for media in found}) == 6


async def test_what_peers_attach_is_shown_from_where_it_is_and_what_is_ours_is_told_to_them(world: World) -> None:
    alice = await world.person("alice")
    far = "https://files.good.test/cat.jpg"
    cat = {"type": "Document", "mediaType": "image/jpeg", "url": far, "name": "a cat", "width": 40, "height": 30}
    await world.hear(
        peers.fetched(ANN, peers.actor(ANN)),
        peers.received(ANN, peers.create("https://good.test/n/1", ANN, attachment=[cat])),
    )
    (status,) = await alice.get("/api/v1/timelines/public", only_media="true", remote="true")
    (media,) = status["media_attachments"]
    assert (media["type"], media["url"], media["remote_url"], media["description"]) == ("image", far, far, "a cat")
    assert media["meta"]["original"]["size"] == "40x30" and media["id"]
    changed = peers.update("https://good.test/n/1", ANN, attachment=[{**cat, "name": "a dog"}])
    await world.hear(peers.received(ANN, changed))
    edited = await alice.get(f"{STATUSES}/{status['id']}")
    assert [one["description"] for one in edited["media_attachments"]] == ["a dog"]
    own = await alice.upload(jpeg(), description="a flag", focus="0,1")
    status = await alice.post("look", media_ids=[own["id"]])
    await world.settled()
    path = path_of(status["uri"])
    note = await world.anybody().ask("GET", path, headers={"Accept": "application/activity+json"})
    (document,) = note["attachment"]
    assert (document["type"], document["mediaType"], document["url"]) == ("Document", "image/jpeg", own["url"])
    assert (document["name"], document["focalPoint"], document["width"]) == ("a flag", [0.0, 1.0], 120)
    assert (await world.anybody().raw("GET", path_of(document["url"]))).status_code == 200


async def test_what_a_crash_left_of_an_upload_is_removed_later(world: World) -> None:
    left = world.server.media.files.workplace()
    (left / "half.jpg").write_bytes(b"half")
    now = world.server.now()
    await world.server.media.remove_unattached(now - timedelta(days=1))
    assert left.exists()
    await world.server.media.remove_unattached(now + timedelta(days=1))
    assert not left.exists()


async def test_an_upload_that_ends_while_leftovers_are_looked_for_is_no_error(world: World) -> None:
    left = world.server.media.files.workplace()
    # Listed, but not there any more when it is looked at.
    left.with_name("ended").symlink_to(left.with_name("gone"))
    await world.server.media.remove_unattached(world.server.now() + timedelta(days=1))
    assert not left.exists()


async def test_nobody_uploads_more_than_so_much_in_half_an_hour_and_others_do_meanwhile(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    codes: list[int] = []
    for _ in range(61):  # at most two windows
        answer = await alice.raw("POST", "/api/v2/media", files={"file": b"no picture"})
        codes.append(answer.status_code)
        if answer.status_code == 429:
            break
    assert set(codes[:30]) == {422} and codes[-1] == 429
    assert 0 < int(answer.headers["retry-after"]) <= 1_800
    await bob.upload(jpeg())
    assert (
        await alice.raw("PATCH", "/api/v1/accounts/update_credentials", files={"avatar": jpeg()})
    ).status_code == 429
    await alice.ask("PATCH", "/api/v1/accounts/update_credentials", data={"note": "hi"})


async def test_other_routes_take_no_files_and_no_more_than_before(world: World) -> None:
    alice = await world.person("alice")
    files: dict[str, Any] = {"status": (None, "hi"), "file": ("a", jpeg())}
    assert (await alice.ask("POST", STATUSES, files=files))["content"] == "<p>hi</p>"
    await alice.ask("POST", STATUSES, 413, files={"status": (None, "hi"), "file": ("a", bytes(1_048_577))})
