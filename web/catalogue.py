"""Are the catalogues complete? `python -m web.catalogue` prints what is missing and what is unused.

Page texts are extracted from templates and from Python (`msg`, `gettext`, `ngettext`). They are
English already, so only other languages need them; what is keyed (refusals, words) is in all.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from web.i18n import FOLDER, LOCALES

HERE = Path(__file__).parent
METHODS = [("templates/**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "msg": None}
OPTIONS = {
    "templates/**.html": {"trimmed": "true", "silent": "false"},
}
KEYED = "refusals.po"
SOURCE = "en"


def extracted() -> set[str]:
    """Every text of a page; of a plural its first form."""
    return {
        message if isinstance(message, str) else str(message[0])
        for _, _, message, _, _ in extract_from_dir(
            HERE, METHODS, OPTIONS, keywords=KEYWORDS, directory_filter=_is_ours
        )
        if message
    }


def entries(language: str) -> Iterator[tuple[str, Message]]:
    """All entries of a language with the name of their file, obsolete ones left out."""
    for path in sorted((FOLDER / LOCALES[language] / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            yield from ((path.name, message) for message in read_po(file) if message.id)


def key_of(message: Message) -> str:
    return message.id if isinstance(message.id, str) else str(message.id[0])


def untranslated(language: str) -> list[str]:
    """Texts of pages, and keys that another language has, without a text in this one."""
    needed = {key_of(m) for name, m in _all() if name == KEYED}
    if language != SOURCE:
        needed |= extracted()
    present = {key_of(m) for _, m in entries(language) if _complete(m)}
    return sorted(needed - present)


def unused(language: str) -> list[str]:
    """Texts that no page shows any more."""
    shown = extracted()
    return sorted(
        key_of(m) for name, m in entries(language) if name != KEYED and key_of(m) not in shown
    )


def _all() -> Iterator[tuple[str, Message]]:
    for language in LOCALES:
        yield from entries(language)


def _complete(message: Message) -> bool:
    texts = [message.string] if isinstance(message.string, str) else list(message.string)
    return bool(texts) and all(texts) and not message.fuzzy


def _is_ours(folder: str) -> bool:
    return Path(folder).name not in {"node_modules", "static", "__pycache__", "locale"}


def main() -> int:
    wrong = 0
    for language in LOCALES:
        for name, found in (("missing", untranslated(language)), ("unused", unused(language))):
            wrong += len(found)
            sys.stdout.writelines(f"{language} {name}: {text!r}\n" for text in found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
