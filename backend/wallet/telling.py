"""A notice in words, in its reader's language: the same on every face.

`notice_says.<kind>.<state>` (or without the state) is its first line, `notice_more.…` what there is
to add. Where the thing is out of sight, so that a name is missing, the kind is all that is said.
"""

import msgspec

from backend.notices import Notice
from backend.texts import Catalogue, money


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """more may be empty."""

    title: str
    more: str


def said(words: Catalogue, notice: Notice) -> Said:
    first = _text(words, "notice_says", notice)
    nameless = "{name}" in first and not notice.name
    if not first or nameless:
        return Said(title=words.word("notice", notice.kind), more="")
    more = _text(words, "notice_more", notice)
    if "{of}" in more and notice.of < 2:  # "1 of 1" says nothing
        more = ""
    params = _params(notice)
    parts = (more.format_map(params), notice.note)
    return Said(title=first.format_map(params), more=" · ".join(part for part in parts if part))


def _text(words: Catalogue, what: str, notice: Notice) -> str:
    """The most exact one, "" if there is none."""
    for key in (f"{what}.{notice.kind}.{notice.state}", f"{what}.{notice.kind}"):
        text = words.gettext(key)
        if text != key:
            return text
    return ""


def _params(notice: Notice) -> dict[str, str | int]:
    return {
        "name": notice.name,
        "amount": money(notice.amount_fen),
        "done": notice.done,
        "of": notice.of,
    }
