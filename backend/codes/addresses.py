"""Our addresses: /o/01k… as a path, HTTPS://…/O/01K… as printed, and back from what was read."""

import re

from backend.codes import ADDRESSES
from backend.ids import is_id

MAX_ADDRESS = 200  # characters

_LETTERS = {prefix: letter for letter, prefix in ADDRESSES.items()}
_BREAKS = re.compile(r"[\s-]+")
_SCHEME = re.compile(r"^https?://", re.IGNORECASE)
_MISREAD = str.maketrans("ilo", "110")  # letters that no code has, for digits that look like them
_PATH = re.compile(r"/([a-z])/([0-9a-z]{26})/?")


def id_of(letter: str, code: str) -> str | None:
    """The id behind an address's letter and 26 characters, in either case; else None."""
    prefix = ADDRESSES.get(letter.lower(), "")
    found = f"{prefix}_{code.lower()}"
    return found if prefix and code.isascii() and is_id(found, prefix) else None


def code_of(found_id: str) -> str:
    """The 26 characters of an id."""
    return found_id.partition("_")[2]


def path_of(found_id: str) -> str:
    """Where a browser goes; only kinds with an address of their own have one."""
    prefix, _, code = found_id.partition("_")
    return f"/{_LETTERS[prefix]}/{code}"


def printed(origin: str, found_id: str) -> str:
    """For a QR code: upper case only, which makes it a smaller symbol (alphanumeric mode)."""
    return f"{origin}{path_of(found_id)}".upper()


def below(text: str, origin: str) -> str | None:
    """The path of an address of ours as it was written, with or without its scheme; else None."""
    host = _SCHEME.sub("", origin)
    bare = _SCHEME.sub("", text)
    if bare[: len(host)].lower() != host.lower():
        return None
    path = bare[len(host) :]
    return path if path.startswith("/") else None


def read(text: str, origin: str) -> str | None:
    """The id behind an address of ours, its path, or an order's bare code, spaces and dashes
    anywhere. No other host is accepted."""
    plain = _BREAKS.sub("", text[:MAX_ADDRESS])
    path = below(plain, _BREAKS.sub("", origin)) or plain
    if "/" not in path:
        path = f"/o/{path}"
    match = _PATH.fullmatch(path.lower())
    return id_of(match[1], match[2].translate(_MISREAD)) if match else None
