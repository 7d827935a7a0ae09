"""Posters on paper: the PDF is rendered and its code read back, the SVG holds the same modules."""

import re
from datetime import UTC, datetime
from typing import get_args
from xml.etree import ElementTree

import msgspec
import pypdfium2  # type: ignore[import-untyped]
import pytest
import segno
import zxingcpp

from backend.codes import account, addresses, classify
from backend.drawing import pdf, svg
from backend.drawing.layout import Poster, Size, Words, matrix_of, sheet
from backend.drawing.typeface import lines, typeface
from backend.ids import new

ORIGIN = "https://pay.example.com"
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CODE = new("stc")
PAYLOADS = {
    "address": addresses.printed(ORIGIN, CODE),
    "emv": account.static(CODE, "老王面馆", "Shanghai", "5812", "12345678"),
}
SIZES: tuple[Size, ...] = get_args(Size)
MM = {"a6": (105, 148), "tent": (210, 297), "a4": (210, 297)}
ODD_NAMES = (
    "王",
    "老" * 32,
    "W" * 32,
    "The Quick Brown Fox & Sons <Ltd>",
    "🍜🍜",
    "面馆\u202e\x00館",
    " ",
    "龘𠮷㐀",
)

both_forms = pytest.mark.parametrize("form", PAYLOADS)
every_size = pytest.mark.parametrize("size", SIZES)


def poster(payload: str, **changes: str) -> Poster:
    plain = Poster(
        shop_name="老王面馆",
        store_name="南京西路店",
        terminal_name="2 号柜台",
        short_code="12345678",
        payload=payload,
    )
    return msgspec.structs.replace(plain, **changes)


def rendered(drawn: bytes, scale: float = 2) -> list[str]:
    """What a scanner reads on the first page, at 144 dots per inch."""
    page = pypdfium2.PdfDocument(drawn)[0]
    image = page.render(scale=scale).to_pil().convert("L")
    return [code.text for code in zxingcpp.read_barcodes(image)]


@both_forms
@every_size
def test_the_code_of_a_pdf_is_read_back(size: Size, form: str) -> None:
    made = pdf.drawn(sheet(poster(PAYLOADS[form]), size), AT)
    found = rendered(made)
    assert found == [PAYLOADS[form]] * (2 if size == "tent" else 1)
    scanned = classify.read(found[0], ORIGIN)
    assert (scanned.kind, scanned.ref) == ("static", CODE)


@every_size
def test_a_pdf_has_its_size_its_texts_and_its_glyphs(size: Size) -> None:
    made = pdf.drawn(sheet(poster(PAYLOADS["address"]), size), AT)
    document = pypdfium2.PdfDocument(made)
    assert len(document) == 1
    points = tuple(length * 72 / 25.4 for length in MM[size])
    assert document[0].get_size() == pytest.approx(points, abs=0.1)
    text = document[0].get_textpage().get_text_bounded()
    for said in (
        "老王面馆",
        "南京西路店 · 2 号柜台",
        "1234 5678",
        "推荐使用易支付",
        "Scan to pay with YiPay",
        "付款前请核对商户名称",
        "Check the shop's name before you pay.",
        "静态码每日限额 500 元",
        "more with a passkey",
    ):
        assert said in text
    assert made.count(b"/FontFile2") == 2  # embedded, both weights
    assert b"STSong" not in made
    assert len(made) < 100_000


@both_forms
@every_size
def test_an_svg_holds_the_modules_of_the_code(size: Size, form: str) -> None:
    made = svg.drawn(sheet(poster(PAYLOADS[form]), size))
    root = ElementTree.fromstring(made)
    codes = [path for path in root.iter() if path.get("class") == "code"]
    assert len(codes) == (2 if size == "tent" else 1)
    wanted = segno.make(PAYLOADS[form], error="m", micro=False, boost_error=False)
    for code in codes:
        found = [[False] * len(wanted.matrix) for _ in wanted.matrix]
        for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", code.get("d", "")):
            for dx in range(int(length)):
                found[int(y)][int(x) + dx] = True
        assert found == [[bool(module) for module in row] for row in wanted.matrix]


@every_size
def test_an_svg_stands_alone(size: Size) -> None:
    made = svg.drawn(sheet(poster(PAYLOADS["address"]), size)).decode()
    root = ElementTree.fromstring(made)
    assert root.get("width") == f"{MM[size][0]}mm"
    assert root.get("height") == f"{MM[size][1]}mm"
    for needing in ("<text", "<style", "style=", "<script", "href", "url(", "font"):
        assert needing not in made
    assert made.count("http") == 1  # the name space
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names))
    assert "付款前请核对商户名称" in made  # told to those who listen


@pytest.mark.parametrize("name", ODD_NAMES)
@every_size
def test_odd_names_print(size: Size, name: str) -> None:
    payload = account.static(CODE, name, "Shanghai", "5812", "12345678")
    drawn = sheet(poster(payload, shop_name=name, terminal_name=name), size)
    assert rendered(pdf.drawn(drawn, AT))[0] == payload
    ElementTree.fromstring(svg.drawn(drawn))
    inside(drawn.width, tuple(drawn.words()))


def inside(width: float, words: tuple[Words, ...]) -> None:
    for each in words:
        right = each.left + typeface(each.bold).width(each.text, each.size)
        assert each.left >= 0, each
        assert right <= width, each


@both_forms
@every_size
def test_nothing_is_printed_into_the_quiet_zone(size: Size, form: str) -> None:
    """Four modules of white around a code, or scanners miss it."""
    matrix = matrix_of(PAYLOADS[form])
    page = pypdfium2.PdfDocument(pdf.drawn(sheet(poster(PAYLOADS[form]), size), AT))[0]
    image = page.render(scale=4).to_pil().convert("L")
    code = zxingcpp.read_barcodes(image)[0].position
    x, y = code.top_left.x, code.top_left.y
    module = (code.top_right.x - x) / len(matrix)
    if size == "tent":  # the upper one may come first, and stands on its head
        module, corner = abs(module), min(code.top_left.x, code.top_right.x)
        x, y = corner, min(code.top_left.y, code.bottom_left.y)
    reach, side = 3.8 * module, len(matrix) * module
    for step in range(0, int(side + 2 * reach), 2):
        for px, py in ((x - reach + step, y - reach), (x - reach, y - reach + step)):
            assert image.getpixel((round(px), round(py))) > 240


def test_lines_break_between_words_and_anywhere_in_chinese() -> None:
    assert list(lines("Noodles and more noodles", True, 4, 30)) == ["Noodles and", "more noodles"]
    assert list(lines("老王手工牛肉面", True, 4, 16.5)) == ["老王手工", "牛肉面"]
    assert list(lines("", True, 4, 30)) == []
    assert list(lines("🍜", True, 4, 30)) == []
    assert "".join(lines("W" * 40, True, 4, 10)) == "W" * 40
