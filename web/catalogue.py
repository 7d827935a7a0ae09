"""Are the catalogues complete? `python -m web.catalogue` prints what is missing and what is unused.

Page texts are extracted from templates and from Python (`msg`, `gettext`, `ngettext`). They are
English already, so only other languages need them; what is keyed (refusals, words) is in all.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from backend.texts import FOLDER, LOCALES

HERE = Path(__file__).parent
ROOTS = (HERE, HERE.parent / "backend" / "wallet")  # files for spreadsheets have heads
METHODS = [("templates/**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "msg": None}
OPTIONS = {
    "templates/**.html": {"trimmed": "true", "silent": "false"},
}
SOURCE = "en"
_KEYED = re.compile(r"[a-z_]+\.[A-Za-z0-9_.]+")  # "refusal.not_found", "limit.free_day"


def extracted() -> set[str]:
    """Every text of a page; of a plural its first form."""
    return {
        message if isinstance(message, str) else str(message[0])
        for root in ROOTS
        for _, _, message, _, _ in extract_from_dir(
            root, METHODS, OPTIONS, keywords=KEYWORDS, directory_filter=_is_ours
        )
        if message
    }


def entries(language: str) -> Iterator[Message]:
    """All entries of a language, obsolete ones left out."""
    for path in sorted((FOLDER / LOCALES[language] / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            yield from (message for message in read_po(file) if message.id)


def key_of(message: Message) -> str:
    return message.id if isinstance(message.id, str) else str(message.id[0])


def untranslated(language: str) -> list[str]:
    """Texts of pages, and keys that another language has, without a text in this one."""
    needed = {key for language in LOCALES for key in _keys(language) if _KEYED.fullmatch(key)}
    if language != SOURCE:
        needed |= extracted()
    present = {key_of(m) for m in entries(language) if _complete(m)}
    return sorted(needed - present)


def unused(language: str) -> list[str]:
    """Texts that no page shows any more."""
    shown = extracted()
    return sorted(k for k in _keys(language) if k not in shown and not _KEYED.fullmatch(k))


def twice(language: str) -> list[str]:
    """Texts that two files translate: which one is shown would be chance."""
    return sorted(key for key, count in Counter(_keys(language)).items() if count > 1)


def _keys(language: str) -> list[str]:
    return [key_of(message) for message in entries(language)]


def _complete(message: Message) -> bool:
    found = message.string
    texts = [found] if isinstance(found, str) else list(found or ())
    # The catalogues of a language become one, which takes one file's rule for all plurals.
    forms = 1 if isinstance(message.id, str) else len(message.id)
    return len(texts) == forms and all(texts) and not message.fuzzy


def _is_ours(folder: str) -> bool:
    return Path(folder).name not in {"node_modules", "static", "__pycache__", "locale"}


CHECKS = {"missing": untranslated, "unused": unused, "twice": twice}


def main() -> int:
    wrong = 0
    for language in LOCALES:
        for name, check in CHECKS.items():
            found = check(language)
            wrong += len(found)
            sys.stdout.writelines(f"{language} {name}: {text!r}\n" for text in found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
