"""Languages of the pages: texts from the catalogues, times as the reader writes them.

Page texts are their own keys, in English.
"""

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import (
    format_date,
    format_datetime,
    get_timezone_location,
    get_timezone_name,
)
from babel.units import format_unit

from backend.texts import LOCALES, ZONE, Catalogue


class Texts(Catalogue):
    """What is said in pages beside what every face says."""

    def time(self, at: datetime) -> str:
        return format_datetime(at, "HH:mm", tzinfo=ZONE, locale=self._locale)

    def second(self, at: datetime) -> str:
        return format_datetime(at, "HH:mm:ss", tzinfo=ZONE, locale=self._locale)

    def duration(self, seconds: int) -> str:
        """In its two largest units at most: "42 s", "3 min 5 s", "2 h 10 min"."""
        hours, rest = divmod(max(seconds, 0), 3600)
        minutes, left = divmod(rest, 60)
        parts = ((hours, "hour"), (minutes, "minute"), (0 if hours else left, "second"))
        said = [self._counted(number, unit) for number, unit in parts if number]
        return " ".join(said) or self._counted(0, "second")

    def _counted(self, number: int, unit: str) -> str:
        return format_unit(number, f"duration-{unit}", length="short", locale=self._locale)

    def day(self, at: datetime | date) -> str:
        local = at.astimezone(ZONE).date() if isinstance(at, datetime) else at
        return _day(self.language, local)

    def zone(self, name: str) -> str:
        """A time zone and the city that it is named after: "China Time · Shanghai"."""
        city = get_timezone_location(name, locale=self._locale, return_city=True)
        return f"{get_timezone_name(ZoneInfo(name), locale=self._locale)} · {city}"

    def month(self, first: date) -> str:
        pattern = "y年M月" if self.language == "zh-CN" else "MMMM y"
        return format_date(first, pattern, locale=self._locale)


@lru_cache
def _day(language: str, day: date) -> str:
    """Pages name the same few days all the time, and drawing one takes a while."""
    pattern = "M月d日 EEE" if language == "zh-CN" else "EEE d MMM"
    return format_date(day, pattern, locale=LOCALES[language])


def msg(message: str) -> str:
    """Marks a text in Python for the catalogues; it is translated where it is drawn."""
    return message


@lru_cache
def texts(language: str) -> Texts:
    return Texts(language)
