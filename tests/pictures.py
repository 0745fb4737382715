"""Pictures for tests, good and bad, made as they are asked for."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

MAKER = "Camera of somebody in particular"
NORTH = 48.8584


def encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    """An image as a file of this kind, by Pillow's name."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def opened(written: Path | bytes) -> Image.Image:
    """A file's picture."""
    return Image.open(io.BytesIO(written if isinstance(written, bytes) else written.read_bytes()))


def halves(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right: what is turned or cut is noticed."""
    image = Image.new(mode, (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def jpeg(width: int = 120, height: int = 80) -> bytes:
    return encoded(halves(width, height), "JPEG", quality=95)


def located_jpeg(orientation: int) -> bytes:
    """A JPEG that says where it was taken, by what, and how it is to be turned; with a comment and XMP as well."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = MAKER
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (48.0, 51.0, 30.24)
    place[3], place[4] = "E", (2.0, 17.0, 40.2)
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{MAKER}</x:xmpmeta>".encode()
    return encoded(halves(120, 80), "JPEG", quality=95, exif=exif, comment=MAKER.encode(), xmp=xmp)


def animation(frames: int = 3, size: tuple[int, int] = (40, 30)) -> bytes:
    shown = [Image.new("RGB", size, (80 * n % 256, 10, 200)) for n in range(frames)]
    return encoded(shown[0], "GIF", save_all=True, append_images=shown[1:], duration=70, loop=0, comment=MAKER.encode())


def png_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """Some kilobytes that decode to a gigabyte."""
    return encoded(Image.new("1", (width, height)), "PNG")


def gif_bomb() -> bytes:
    """A GIF of 16 by 16 whose second frame says that it is 65,535 pixels in each direction."""
    first = encoded(Image.new("P", (16, 16)), "GIF")
    frame = b"\x2c\x00\x00\x00\x00\xff\xff\xff\xff\x00\x08\x02\x44\x01\x00"
    return first.removesuffix(b";") + frame + b";"
