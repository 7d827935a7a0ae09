"""Covers of red packets: each has its picture, what it says to who can't see it, and a licence."""

from xml.etree import ElementTree

from backend.redpacket import CATALOGUE
from backend.texts import LOCALES
from web.assets import STATIC
from web.i18n import texts


def test_each_cover_says_by_what_right_it_is_shown() -> None:
    files = {path.stem for path in (STATIC / "covers").iterdir()}
    assert {cover.name for cover in CATALOGUE} == files
    for cover in CATALOGUE:
        for language in LOCALES:
            words = texts(language)
            assert words.word("cover", cover.name) != cover.name
            assert words.word("cover_licence", cover.licence) != cover.licence


def test_each_file_carries_where_it_comes_from() -> None:
    for cover in CATALOGUE:
        drawn = ElementTree.parse(STATIC / "covers" / f"{cover.name}.svg").getroot()
        told = drawn.find("{http://www.w3.org/2000/svg}metadata")
        assert told is not None
        assert told.text == "YiPay, own artwork"
