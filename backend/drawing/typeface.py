"""The typeface of posters: widths for the layout, outlines for SVG, a small font file for PDF."""

from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from fontTools import subset  # type: ignore[import-untyped]
from fontTools.pens.svgPathPen import SVGPathPen  # type: ignore[import-untyped]
from fontTools.pens.transformPen import TransformPen  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

# They lie with the pages, which fetch them along with their own assets.
FONTS = Path(__file__).parents[2] / "web" / "fonts"
FILES = {False: FONTS / "NotoSansSC-Regular.ttf", True: FONTS / "NotoSansSC-Bold.ttf"}
_DROPPED = ("GSUB", "GPOS", "GDEF", "BASE", "STAT", "vhea", "vmtx")


class Typeface:
    """One weight, read as far as needed. Not for two threads at once: it reads as it goes."""

    def __init__(self, path: Path) -> None:
        self._file = path.read_bytes()
        self._font: Any = self._opened()
        self._names: dict[int, str] = self._font.getBestCmap()
        self._widths: Any = self._font["hmtx"]
        self._glyphs: Any = self._font.getGlyphSet()
        self._em = int(self._font["head"].unitsPerEm)

    def known(self, text: str) -> str:
        """The text without characters that the typeface has no glyph for."""
        return "".join(character for character in text if ord(character) in self._names)

    def width(self, text: str, size: float) -> float:
        """In the unit of size."""
        return sum(self._advance(character) for character in text) * size / self._em

    def outline(self, text: str, x: float, y: float, size: float) -> str:
        """SVG path data of a line of text whose baseline begins at (x, y)."""
        scale = size / self._em
        pen = SVGPathPen(self._glyphs, ntos=_short)
        for character in text:
            placed = TransformPen(pen, (scale, 0, 0, -scale, x, y))
            self._glyphs[self._names[ord(character)]].draw(placed)
            x += self._advance(character) * scale
        return str(pen.getCommands())

    def file(self, text: str) -> bytes:
        """A TrueType file with the glyphs of this text alone."""
        options = subset.Options()
        options.layout_features, options.hinting = [], False
        options.drop_tables += _DROPPED
        small = self._opened()
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=text)
        subsetter.subset(small)
        written = BytesIO()
        small.save(written)
        return written.getvalue()

    def _opened(self) -> Any:
        return TTFont(BytesIO(self._file), lazy=True)

    def _advance(self, character: str) -> int:
        return int(self._widths[self._names[ord(character)]][0])


@lru_cache
def typeface(bold: bool) -> Typeface:
    return Typeface(FILES[bold])


def lines(text: str, bold: bool, size: float, width: float) -> Iterator[str]:
    """The text in lines no wider than width, broken at spaces or between other characters."""
    face = typeface(bold)
    line = ""
    for word in _pieces(face, face.known(text), size, width):
        if line and face.width((line + word).rstrip(), size) > width:
            yield line.rstrip()
            line = ""
        line += word if line else word.lstrip()
    if line.strip():
        yield line.rstrip()


def _pieces(face: Typeface, text: str, size: float, width: float) -> Iterator[str]:
    """Words; one that is wider than a line character by character."""
    for word in _words(text):
        yield from word if face.width(word, size) > width else (word,)


def _words(text: str) -> Iterator[str]:
    """What may not be broken: Latin words with the space before, other characters one by one."""
    word = ""
    for character in text:
        joins = character.isascii() and not character.isspace()
        if word and not (joins and word[-1].isascii() and not word[-1].isspace()):
            yield word
            word = ""
        word += character
    if word:
        yield word


def _short(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
