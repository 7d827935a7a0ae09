"""Ids are TypeIDs: a prefix, "_" and 26 characters that sort by time. Never parsed or reused."""

import re
from typing import Annotated

import msgspec
from typeid import TypeID

ID_PATTERN = r"^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$"
Id = Annotated[str, msgspec.Meta(pattern=ID_PATTERN, max_length=30)]

_ID = re.compile(ID_PATTERN)


def new(prefix: str) -> str:
    """A fresh id, for example "pay_01k…"."""
    return str(TypeID(prefix=prefix))


def is_id(text: str, prefix: str) -> bool:
    """Whether text is a well-formed id of that kind."""
    return text.startswith(f"{prefix}_") and _ID.fullmatch(text) is not None
