"""Codes in a picture that somebody uploads. The bytes are hostile until they are read."""

import asyncio
import warnings
from io import BytesIO

import structlog
import zxingcpp
from PIL import Image

_log = structlog.get_logger(__name__)

MAX_PHOTO_BYTES = 8 * 1024 * 1024
MAX_PHOTO_PIXELS = 50_000_000  # of the file; phones make as many
MAX_DECODED_PIXELS = 26_000_000  # in memory: JPEG is decoded smaller than it is
ENOUGH_PIXELS = (2400, 2400)
READABLE = ("JPEG", "PNG", "WEBP")
MAX_CODES = 8
FORMATS = zxingcpp.BarcodeFormats((zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128))

# One at a time: a picture may take a tenth of a gigabyte and a second.
_turn = asyncio.Semaphore(1)


class Unreadable(ValueError):
    """No picture, or one too large to open."""


async def codes_in(photo: bytes) -> tuple[str, ...]:
    """The texts of the codes in a JPEG, PNG or WebP file. Raises Unreadable."""
    async with _turn:
        return await asyncio.to_thread(_codes_in, photo)


def _codes_in(photo: bytes) -> tuple[str, ...]:
    if not photo or len(photo) > MAX_PHOTO_BYTES:
        raise Unreadable
    grey = _opened(photo)
    found = zxingcpp.read_barcodes(grey, formats=FORMATS)
    return tuple(dict.fromkeys(code.text for code in found[:MAX_CODES] if code.text))


def _opened(photo: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the bombs that are refused by size below
            with Image.open(BytesIO(photo), formats=READABLE) as picture:
                _bounded(picture, MAX_PHOTO_PIXELS)
                picture.draft("L", ENOUGH_PIXELS)
                _bounded(picture, MAX_DECODED_PIXELS)
                return _flat(picture)
    except Unreadable:
        raise
    except Exception as error:  # a decoder may raise anything on bytes made for it
        _log.info("picture_refused", error=type(error).__name__)
        raise Unreadable from error


def _bounded(picture: Image.Image, most: int) -> None:
    width, height = picture.size
    if not 0 < width * height <= most:
        raise Unreadable


def _flat(picture: Image.Image) -> Image.Image:
    """In greys, on white where it is transparent."""
    if not picture.has_transparency_data:
        return picture.convert("L")
    grey = picture.convert("LA")
    white = Image.new("L", grey.size, 255)
    white.paste(grey.getchannel("L"), mask=grey.getchannel("A"))
    return white
