"""What a stranger uploads becomes a picture with nothing in it but its pixels, or a sentence; nothing else."""

import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from PIL import Image

from adapters.media import pictures
from adapters.media.pictures import Picture, Pictures, run
from adapters.media.reencode import blurhash
from domain.events import Refused
from tests.pictures import MAKER, animation, encoded, gif_bomb, halves, jpeg, located_jpeg, opened, png_bomb

NAME = "0" * 32


def made(raw: bytes, folder: Path, cut: tuple[int, int] | None = None) -> Picture:
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        return run(file, folder, NAME, cut)


@pytest.mark.parametrize(
    ("kind", "becomes"), [("JPEG", "JPEG"), ("PNG", "PNG"), ("WEBP", "WEBP"), ("AVIF", "JPEG"), ("GIF", "PNG")]
)
def test_each_kind_that_is_taken_becomes_one_that_everybody_can_show(tmp_path: Path, kind: str, becomes: str) -> None:
    picture = made(encoded(halves(1_200, 900), kind), tmp_path)
    kept = opened(tmp_path / picture.file)
    assert (kept.format, kept.size, picture.media_type) == (becomes, (1_200, 900), f"image/{becomes.lower()}")
    assert (picture.width, picture.height) == (1_200, 900)
    assert picture.preview is not None and picture.blurhash is not None
    small = opened(tmp_path / picture.preview)
    assert small.size == (picture.preview_width, picture.preview_height) == (554, 415)
    assert len(picture.blurhash) == 28
    red, blue = (kept.convert("RGB").getpixel((x, 450)) for x in (100, 1_100))
    assert red[0] > 240 and red[2] < 20 and blue[2] > 240 and blue[0] < 20


@pytest.mark.parametrize("orientation", range(1, 9))
def test_where_and_by_what_a_picture_was_taken_is_gone_and_it_stands_upright(tmp_path: Path, orientation: int) -> None:
    raw = located_jpeg(orientation)
    assert MAKER.encode() in raw and opened(raw).getexif().get_ifd(0x8825)
    picture = made(raw, tmp_path)
    kept = opened(tmp_path / picture.file)
    assert not dict(kept.getexif()) and not kept.getexif().get_ifd(0x8825)
    assert set(kept.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"}
    for written in tmp_path.iterdir():
        assert MAKER.encode() not in written.read_bytes() and b"Exif" not in written.read_bytes()
    assert kept.size == ((120, 80) if orientation < 5 else (80, 120))
    left_or_top = kept.getpixel((5, 5))
    red_first = orientation in (1, 4, 5, 6)
    assert (left_or_top[0] > 200) == red_first


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF"])
def test_what_is_see_through_stays_so(tmp_path: Path, kind: str) -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 30, 40))
    picture = made(encoded(image, kind), tmp_path)
    for name in (picture.file, picture.preview):
        assert name is not None
        kept = opened(tmp_path / name).convert("RGBA")
        assert kept.getpixel((50, 20))[3] == 0 and kept.getpixel((10, 20))[3] == 255


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK", "RGBA"])
def test_pixels_of_every_kind_are_understood(tmp_path: Path, mode: str) -> None:
    picture = made(encoded(Image.new(mode, (9, 7)), "JPEG" if mode == "CMYK" else "PNG"), tmp_path)
    assert opened(tmp_path / picture.file).size == (9, 7)


def test_sixteen_bits_of_grey_are_scaled_rather_than_cut_off(tmp_path: Path) -> None:
    picture = made(encoded(Image.new("I;16", (8, 8), 32_768), "PNG"), tmp_path)
    assert opened(tmp_path / picture.file).convert("L").getpixel((4, 4)) == 128


def test_an_animation_stays_one_without_what_came_beside_its_frames(tmp_path: Path) -> None:
    picture = made(animation(), tmp_path)
    kept = opened(tmp_path / picture.file)
    assert (picture.media_type, getattr(kept, "n_frames", 1), kept.info["duration"]) == ("image/gif", 3, 70)
    assert MAKER.encode() not in (tmp_path / picture.file).read_bytes()


def test_of_an_animation_of_too_many_pixels_in_all_the_first_frame_is_kept(tmp_path: Path) -> None:
    picture = made(animation(501, (4, 4)), tmp_path)
    assert picture.media_type == "image/png"


def test_what_is_large_is_made_smaller_and_never_beyond_what_a_file_can_hold(tmp_path: Path) -> None:
    picture = made(encoded(Image.new("1", (33_000, 1_000)), "PNG"), tmp_path)
    assert picture.width <= 16_383 and picture.width * picture.height <= 3840 * 2160
    (tmp_path / "square").mkdir()
    square = made(encoded(Image.new("L", (5_000, 5_000)), "JPEG"), tmp_path / "square")
    assert (square.width, square.height) == (2_880, 2_880)


def test_for_a_profile_a_picture_is_cut_to_size(tmp_path: Path) -> None:
    picture = made(jpeg(1_000, 100), tmp_path, (400, 400))
    assert (picture.width, picture.height, picture.preview) == (400, 400, None)
    assert opened(tmp_path / picture.file).size == (400, 400)
    assert [path.name for path in tmp_path.iterdir()] == [picture.file]


HOSTILE = {
    "nothing": b"",
    "a text": b"just words",
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "a page that begins as a GIF": b"GIF89a/*<script>alert(1)</script>*/=1;",
    "a TIFF": encoded(Image.new("L", (4, 4)), "TIFF"),
    "a PDF": encoded(Image.new("L", (4, 4)), "PDF"),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "an MP4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(200),
    "a JPEG cut short": jpeg(600, 400)[:900],
    "a PNG cut short": encoded(Image.effect_noise((200, 200), 90), "PNG")[:5_000],
    "a WebP cut short": encoded(Image.effect_noise((200, 200), 90), "WEBP")[:3_000],
    "a PNG bomb": png_bomb(),
    "a GIF whose second frame is a bomb": gif_bomb(),
    "a JPEG header alone": b"\xff\xd8\xff",
    "an AVIF header alone": b"\x00\x00\x00\x1cftypavif" + bytes(40),
    "a PNG of no size": encoded(Image.new("L", (1, 1)), "PNG").replace(
        b"IHDR\x00\x00\x00\x01\x00\x00\x00\x01", b"IHDR\x00\x00\x00\x00\x00\x00\x00\x00"
    ),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_good_picture_is_refused_in_a_sentence_and_leaves_nothing(tmp_path: Path, raw: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(Refused, match=r"^File "):
        made(raw, tmp_path)
    assert time.monotonic() - started < pictures.TIMEOUT_S / 2


@pytest.mark.parametrize("raw", [png_bomb(), png_bomb(5_761, 5_760), gif_bomb()], ids=["PNG", "barely", "GIF frame"])
def test_a_bomb_is_told_by_its_pixel_count_before_it_is_decoded(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(Refused, match="more than 33177600"):
        made(raw, tmp_path)


def test_a_picture_with_a_page_behind_it_loses_the_page(tmp_path: Path) -> None:
    page = b"<html><script>alert(document.domain)</script></html>"
    for raw in (jpeg() + page, encoded(halves(60, 40), "PNG") + page, animation() + page):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        picture = made(raw, folder)
        assert all(b"<script" not in written.read_bytes() for written in folder.iterdir())
        assert opened(folder / picture.file).size == (picture.width, picture.height)


def test_a_decoder_that_dies_or_never_ends_refuses_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("import os; os.abort()", "import time; time.sleep(60)", "raise MemoryError"):
        dying = tmp_path / "dying.py"
        dying.write_text(program)
        monkeypatch.setattr(pictures, "_PROGRAM", dying)
        monkeypatch.setattr(pictures, "TIMEOUT_S", 1.0)
        with pytest.raises(Refused):
            made(jpeg(), tmp_path)


def test_the_process_may_not_take_more_memory_than_its_limit(tmp_path: Path) -> None:
    code = "from adapters.media import reencode; reencode._confine(); bytearray(3_000_000_000)"
    done = subprocess.run([pictures.sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode != 0 and b"MemoryError" in done.stderr


def test_limits_that_are_tighter_already_are_kept() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000));"
        "from adapters.media import reencode; reencode._confine();"
        "assert resource.getrlimit(resource.RLIMIT_FSIZE) == (1_000_000, 1_000_000)"
    )
    assert subprocess.run([pictures.sys.executable, "-c", code], check=False).returncode == 0


def test_the_process_is_what_can_be_spared_where_memory_or_time_run_out() -> None:
    code = (
        "import os, pathlib; from adapters.media import reencode; before = os.nice(0); reencode._confine();"
        "assert os.nice(0) > before or before == 19;"
        "assert pathlib.Path('/proc/self/oom_score_adj').read_text().strip() == '1000'"
    )
    assert subprocess.run([pictures.sys.executable, "-c", code], check=False).returncode == 0


def test_the_process_is_told_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nosy = tmp_path / "nosy.py"
    nosy.write_text("import json, os; print(json.dumps({'refused': ' '.join(os.environ)}))")
    monkeypatch.setattr(pictures, "_PROGRAM", nosy)
    monkeypatch.setenv("DAYBOOK_MASTER_KEY", "secret")
    monkeypatch.setenv("DATABASE_URL", "secret")
    with pytest.raises(Refused) as refused:
        made(jpeg(), tmp_path)
    assert not {"DAYBOOK_MASTER_KEY", "DATABASE_URL"} & set(refused.value.reason.split())


def test_no_process_that_answers_requests_can_decode_a_picture() -> None:
    code = "import sys, api.app, adapters.wiring, workers.schedule; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([pictures.sys.executable, "-c", code], check=False).returncode == 0


def test_a_blurhash_is_what_its_own_authors_code_makes_of_the_same_pixels() -> None:
    ramp = Image.linear_gradient("L").resize((32, 32)).convert("RGB")
    assert blurhash(ramp) == "L#HetWoffQof00WBfQWBxuj[fQj["
    assert blurhash(Image.new("RGB", (5, 5))) == "L00000fQfQfQfQfQfQfQfQfQfQfQ"


@pytest.mark.anyio
async def test_only_a_few_wait_their_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "WAITING_MAX", 0)
    with tempfile.TemporaryFile() as file, pytest.raises(pictures.Unavailable):
        await Pictures().made_safe(file, tmp_path, NAME)
