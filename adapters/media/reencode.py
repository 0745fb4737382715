"""Makes a picture safe to show: reads one from standard input, and writes it anew with nothing in it but its pixels.

A program of its own, run by `pictures.py` with an order as its argument, `{"folder", "name", "cut", "pixels_max"}` in
JSON: what a stranger made is decoded where a crash, an endless loop or a flood of memory ends this process and nothing
else. It imports nothing of ours, and answers in JSON: `{"refused": sentence}`, `{"full": true}` where the disk is, or
the fields of a `pictures.Picture`.

The type is told by content alone. Pictures of too many pixels are refused before they are decoded; large ones are made
smaller (Mastodon: 3840 by 2160). EXIF's orientation and a colour profile are applied, and then dropped with all else
that came beside the pixels. A GIF keeps its animation where it has few enough pixels in all; of any other animation
the first frame is kept.
"""

import io
import json
import math
import os
import resource
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from PIL import Image, ImageCms, ImageOps, ImageSequence, UnidentifiedImageError

KEPT_PIXELS_MAX: Final = 3840 * 2160
PREVIEW_PIXELS_MAX: Final = 640 * 360
SIDE_MAX: Final = 16_383  # the most that a WebP can have
FRAMES_MAX: Final = 500
FRAMES_PIXELS_MAX: Final = 40_000_000
HEADER_BYTES: Final = 64

MEMORY_BYTES_MAX: Final = 2_147_483_648
CPU_S_MAX: Final = 30
WRITTEN_BYTES_MAX: Final = 134_217_728
ROOM_BYTES_MIN: Final = 1_048_576

BLURHASH_SIDE: Final = 32
BLURHASH_PARTS: Final = (4, 3)
_BASE83: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"

_MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
_ENDINGS: Final = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp"}
_HOW: Final[dict[str, dict[str, Any]]] = {
    "JPEG": {"quality": 90, "progressive": True},
    "PNG": {},
    "WEBP": {"quality": 90, "method": 2},
    "GIF": {},
}

NOT_TAKEN: Final = "File is not a picture of a kind that can be uploaded: JPEG, PNG, GIF, WebP or AVIF"
BROKEN: Final = "File is damaged: it can't be read as the picture that it begins as"


Size = tuple[int, int]


class RefusedPicture(Exception):
    """The picture is not taken; the argument is a sentence for whoever sent it."""


def kind_of(header: bytes) -> str:
    """The format that a file's first bytes belong to, by Pillow's name. Raises RefusedPicture."""
    if header.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if header.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if header.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if header.startswith(b"RIFF") and header[8:12] == b"WEBP":
        return "WEBP"
    if header[4:8] == b"ftyp" and (b"avif" in header[8:] or b"avis" in header[8:]):
        return "AVIF"
    raise RefusedPicture(NOT_TAKEN)


def reencode(source: BinaryIO, target: Path, cut: Size | None, pixels_max: int) -> dict[str, Any]:
    """Write the picture as `target` with an ending, and its preview as `target-small`; say what was written.

    With `cut`, it is cut and resized to just that size, and no preview is made. Raises RefusedPicture, and anything
    at all for a file that is damaged.
    """
    kind = kind_of(source.read(HEADER_BYTES))
    source.seek(0)
    image = Image.open(source, formats=[kind])
    if image.width * image.height > pixels_max:
        raise RefusedPicture(f"File has {image.width} by {image.height} pixels: more than {pixels_max} can't be taken")
    if cut is None and kind == "GIF" and _is_animated(image):
        return _kept_animated(image, target)
    if kind == "JPEG":
        # Decoded at a fraction of its size, where that is still more than is kept.
        image.draft("RGB", cut or _within(image.size, KEPT_PIXELS_MAX))
    still = _upright(image)
    if cut is not None:
        still = ImageOps.fit(still, cut, Image.Resampling.LANCZOS)
    elif (size := _within(still.size, KEPT_PIXELS_MAX)) != still.size:
        still = _resized(still, size)
    file, media_type = _written(still, target, _format_for(kind, still))
    said = {"file": file, "media_type": media_type, "width": still.width, "height": still.height}
    return said if cut is not None else {**said, **_preview(still, target)}


def blurhash(image: Image.Image) -> str:
    """The BlurHash of a picture (github.com/woltapp/blurhash, Algorithm.md), from a small copy of it."""
    small = _resized(image.convert("RGB"), (BLURHASH_SIDE, BLURHASH_SIDE))
    pixels = small.tobytes()
    linear = [_linear(value) for value in range(256)]
    rows = [
        [tuple(linear[one] for one in pixels[at : at + 3]) for at in range(start, start + 3 * BLURHASH_SIDE, 3)]
        for start in range(0, len(pixels), 3 * BLURHASH_SIDE)
    ]
    across, down = BLURHASH_PARTS
    parts = [_part(rows, x, y) for y in range(down) for x in range(across)]
    average, *others = parts
    most = max(abs(value) for part in others for value in part)
    scale = max(0, min(82, int(most * 166 - 0.5)))
    said = _base83(across - 1 + (down - 1) * 9, 1) + _base83(scale, 1)
    red, green, blue = (_gamma(value) for value in average)
    said += _base83((red << 16) + (green << 8) + blue, 4)
    for part in others:
        red, green, blue = (_step(value, (scale + 1) / 166) for value in part)
        said += _base83((red * 19 + green) * 19 + blue, 2)
    return said


def _is_animated(image: Image.Image) -> bool:
    """Whether there are several frames, and few enough to write all of them anew."""
    frames: int = getattr(image, "n_frames", 1)
    return 1 < frames <= FRAMES_MAX and frames * image.width * image.height <= FRAMES_PIXELS_MAX


def _upright(image: Image.Image) -> Image.Image:
    """The first frame as RGB or RGBA in sRGB, turned as EXIF says, without anything beside its pixels."""
    image.load()
    seen = _in_srgb(image)
    if seen.mode.startswith("I"):
        # Sixteen bits of grey, which Pillow would cut off at 255 rather than scale.
        seen = seen.convert("I").point(lambda value: value * (1 / 256)).convert("L")  # pyright: ignore - half typed
    seen = seen.convert("RGBA" if _is_see_through(seen) else "RGB")
    seen = _turned(image, seen)
    seen.info = {}
    return seen


def _turned(image: Image.Image, seen: Image.Image) -> Image.Image:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    try:
        orientation: Any = image.getexif().get(0x0112)
        turn = turns.get(orientation)
    except Exception:  # noqa: BLE001 - metadata that can't be read says nothing, and is dropped anyway
        return seen
    return seen if turn is None else seen.transpose(turn)


def _in_srgb(image: Image.Image) -> Image.Image:
    profile: Any = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),  # pyright: ignore - half typed
            outputMode="RGBA" if image.mode == "RGBA" else "RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted or image


def _is_see_through(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _resized(image: Image.Image, size: Size) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS)  # pyright: ignore[reportUnknownMemberType] - half typed


def _within(size: Size, pixels_max: int) -> Size:
    """The same shape with at most that many pixels and no side too long."""
    width, height = size
    scale = min(1.0, math.sqrt(pixels_max / (width * height)), SIDE_MAX / width, SIDE_MAX / height)
    return max(1, math.floor(width * scale)), max(1, math.floor(height * scale))


def _format_for(kind: str, image: Image.Image) -> str:
    """A format that every client and peer shows: AVIF becomes JPEG or, see-through, WebP; a still GIF becomes PNG."""
    if kind == "AVIF":
        return "WEBP" if image.mode == "RGBA" else "JPEG"
    return "PNG" if kind == "GIF" else kind


def _written(image: Image.Image, target: Path, kind: str) -> tuple[str, str]:
    ready = image.convert("RGB") if kind == "JPEG" and image.mode != "RGB" else image
    path = target.with_name(f"{target.name}.{_ENDINGS[kind]}")
    with path.open("xb") as file:
        ready.save(file, format=kind, **_HOW[kind])
    return path.name, _MEDIA_TYPES[kind]


def _preview(image: Image.Image, target: Path) -> dict[str, Any]:
    size = _within(image.size, PREVIEW_PIXELS_MAX)
    small = image if size == image.size else _resized(image, size)
    file, _ = _written(small, target.with_name(f"{target.name}-small"), "WEBP" if image.mode == "RGBA" else "JPEG")
    return {"preview": file, "preview_width": size[0], "preview_height": size[1], "blurhash": blurhash(small)}


def _kept_animated(image: Image.Image, target: Path) -> dict[str, Any]:
    frames: list[Image.Image] = []
    durations: list[int] = []
    size, see_through = _within(image.size, KEPT_PIXELS_MAX), False
    for frame in ImageSequence.Iterator(image):
        durations.append(int(frame.info.get("duration") or 100))
        seen = _upright(frame)
        if seen.size != size:
            seen = _resized(seen, size)
        see_through = see_through or seen.mode == "RGBA"
        frames.append(seen)
    frames = [frame.convert("RGBA" if see_through else "RGB") for frame in frames]
    more: dict[str, Any] = {"loop": image.info["loop"]} if "loop" in image.info else {}
    path = target.with_name(f"{target.name}.gif")
    with path.open("xb") as file:
        frames[0].save(
            file,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            disposal=2 if see_through else 1,
            **more,
        )
    said = {"file": path.name, "media_type": "image/gif", "width": size[0], "height": size[1]}
    return {**said, **_preview(frames[0], target)}


def _part(rows: Sequence[Sequence[tuple[float, ...]]], x: int, y: int) -> tuple[float, float, float]:
    across = [math.cos(math.pi * x * i / BLURHASH_SIDE) for i in range(BLURHASH_SIDE)]
    red = green = blue = 0.0
    for j, row in enumerate(rows):
        down = math.cos(math.pi * y * j / BLURHASH_SIDE)
        for i, pixel in enumerate(row):
            weight = across[i] * down
            red += weight * pixel[0]
            green += weight * pixel[1]
            blue += weight * pixel[2]
    scale = (1 if x == y == 0 else 2) / (BLURHASH_SIDE * BLURHASH_SIDE)
    return red * scale, green * scale, blue * scale


def _linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB, IEC 61966-2-1


def _gamma(value: float) -> int:
    share = max(0.0, min(1.0, value))
    return int((share * 12.92 if share <= 0.0031308 else 1.055 * share ** (1 / 2.4) - 0.055) * 255 + 0.5)  # noqa: PLR2004 - sRGB


def _step(value: float, most: float) -> int:
    return max(0, min(18, math.floor(math.copysign(math.sqrt(abs(value / most)), value) * 9 + 9.5)))


def _base83(value: int, digits: int) -> str:
    return "".join(_BASE83[value // 83**place % 83] for place in reversed(range(digits)))


def _confine() -> None:
    """What this process may use from here on."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CPU, CPU_S_MAX),
        (resource.RLIMIT_FSIZE, WRITTEN_BYTES_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        allowed = resource.getrlimit(what)[1]
        least = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(what, (least, least))
    # Those who wait for an answer come first; and where memory runs out, this is what can be spared.
    os.nice(10)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _is_full(folder: str) -> bool:
    """Whether there is no room to write to; encoders don't say why they can't."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < ROOM_BYTES_MIN


def main() -> None:
    """Read the order from the arguments and the picture from standard input; answer on standard output."""
    order = json.loads(sys.argv[1])
    _confine()
    pixels_max = order["pixels_max"]
    Image.MAX_IMAGE_PIXELS = pixels_max
    # Frames beyond the picture's own size make it grow: what is only warned of must fail.
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    cut = None if order["cut"] is None else (order["cut"][0], order["cut"][1])
    try:
        answer = reencode(sys.stdin.buffer, Path(order["folder"]) / order["name"], cut, pixels_max)
    except RefusedPicture as refused:
        answer = {"refused": str(refused)}
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        answer = {"refused": f"File has more than {pixels_max} pixels"}
    except UnidentifiedImageError:
        answer = {"refused": NOT_TAKEN}
    except Exception:  # noqa: BLE001 - whatever a decoder trips over, the file is at fault
        answer = {"full": True} if _is_full(order["folder"]) else {"refused": BROKEN}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
