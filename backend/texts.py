"""Texts from gettext catalogues that every face needs: refusals, money, machine words.

Refusals have keys: `refusal.<code>` (what happened), `refusal.<code>.detail` (only shown when all
its parameters came; of one limit `refusal.<code>.detail.<limit>`), `refusal.<code>.todo`.
"""

from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale
from babel.core import negotiate_locale
from babel.dates import format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from backend.errors import REFUSALS, DomainError, MoneyMoved
from backend.money import yuan

LOCALES = {"zh-CN": "zh_Hans_CN", "en": "en"}
DEFAULT = "zh-CN"
ZONE = ZoneInfo("Asia/Shanghai")
# The catalogues lie with the pages, whose texts most of them are; the other face reads them too.
FOLDER = Path(__file__).parents[1] / "web" / "locale"

# Words that arrive in a refusal's parameters or from a face, each with a text of its own.
_WORDS = frozenset({"limit", "reason", "permission", "role", "holders"})


class RefusalText(msgspec.Struct, frozen=True):
    """detail may be empty."""

    what: str
    detail: str
    money: str
    todo: str


class Catalogue:
    """The catalogues of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._locale = Locale.parse(LOCALES[language])
        self._catalogue = _load(FOLDER / LOCALES[language] / "LC_MESSAGES")

    def gettext(self, message: str) -> str:
        return str(self._catalogue.gettext(message))

    def ngettext(self, one: str, many: str, count: int) -> str:
        return str(self._catalogue.ngettext(one, many, count))

    def when(self, at: datetime, zone: ZoneInfo = ZONE) -> str:
        """Day and time to the minute, in Chinese time or a shop's."""
        pattern = "y年M月d日 HH:mm" if self.language == "zh-CN" else "d MMM y, HH:mm"
        return format_datetime(at, pattern, tzinfo=zone, locale=self._locale)

    def word(self, kind: str, name: str) -> str:
        """The text of a machine word, for example word("level", "A")."""
        key = f"{kind}.{name}"
        text = self.gettext(key)
        return name if text == key else text

    def refusal(self, error: DomainError) -> RefusalText:
        return self._refusal(error.code, error.money_moved, error.params)

    def at_till(self, error: DomainError) -> RefusalText:
        """For whoever stands at a till: what refuses a customer speaks of the customer there."""
        return self._at_till(error.code, self.refusal(error))

    def at_till_code(self, code: str, *, asked: bool) -> RefusalText:
        """asked: whether the customer was asked; who was not can't have been too slow."""
        text = self.refusal_code(code)
        return self._at_till(code, text) if asked else self._unasked(code, text)

    def refusal_code(self, code: str) -> RefusalText:
        """The text of a refusal that was stored by its code."""
        kind = REFUSALS.get(code, DomainError)
        return self._refusal(code, kind.money_moved, {})

    def plain(self, what: str, todo: str, unknown: bool) -> RefusalText:
        """A failure that is no refusal of a module; what and todo are message keys."""
        moved = "unknown" if unknown else "no"
        return RefusalText(
            self.gettext(what), "", self.gettext(f"money_moved.{moved}"), self.gettext(todo)
        )

    def _refusal(self, code: str, moved: MoneyMoved, params: dict[str, str | int]) -> RefusalText:
        key = f"refusal.{code}" if code in REFUSALS else "refusal.refused"
        shown = {name: self._param(name, value) for name, value in params.items()}
        return RefusalText(
            what=self.gettext(key),
            detail=_filled(self._detail(key, params), shown),
            money=self.gettext(f"money_moved.{moved}"),
            todo=self.gettext(f"{key}.todo"),
        )

    def _at_till(self, code: str, text: RefusalText) -> RefusalText:
        own = self._optional(f"till_refusal.{code}")
        if not own:
            return text
        return RefusalText(own, "", text.money, self.gettext(f"till_refusal.{code}.todo"))

    def _unasked(self, code: str, text: RefusalText) -> RefusalText:
        own = self._optional(f"till_unasked.{code}")
        if not own:
            return self._at_till(code, text)
        return RefusalText(own, "", text.money, self.gettext(f"till_unasked.{code}.todo"))

    def _detail(self, key: str, params: dict[str, str | int]) -> str:
        """A limit may have words of its own: "¥0.00 left" says little of one that counts."""
        own = self._optional(f"{key}.detail.{params['limit']}") if "limit" in params else ""
        return own or self._optional(f"{key}.detail")

    def _optional(self, key: str) -> str:
        text = self.gettext(key)
        return "" if text == key else text

    def _param(self, name: str, value: str | int) -> str:
        if name.endswith("_fen") and isinstance(value, int):
            return money(value)
        return self.word(name, str(value)) if name in _WORDS else str(value)


def money(amount_fen: int) -> str:
    """ "¥1,234.56", "-¥5.00"."""
    text = yuan(amount_fen)
    return f"-¥{text[1:]}" if text.startswith("-") else f"¥{text}"


@lru_cache
def catalogue(language: str) -> Catalogue:
    return Catalogue(language)


def negotiate(chosen: str, cookie: str, accepted: str) -> str:
    """The person's own choice, else the browser's last one here, else what it asks for."""
    for choice in (chosen, cookie):
        if choice in LOCALES:
            return choice
    wanted = [part.split(";")[0].strip() for part in accepted[:200].split(",")]
    found = negotiate_locale([w for w in wanted if w], ["zh-CN", "zh", "en"], sep="-")
    return "en" if found == "en" else DEFAULT


def _filled(template: str, params: dict[str, str]) -> str:
    try:
        return template.format_map(params)
    except KeyError:
        return ""


def _load(folder: Path) -> Translations:
    """All catalogues of a folder in one; compiled here, so none on the disk can be stale."""
    merged: Translations | None = None
    for path in sorted(folder.glob("*.po")):
        compiled = BytesIO()
        with path.open("rb") as file:
            write_mo(compiled, read_po(file))
        compiled.seek(0)
        one = Translations(compiled, domain="messages")
        if merged is None:
            merged = one
        else:
            merged.merge(one)
    assert merged is not None, f"no catalogue in {folder}"
    return merged
