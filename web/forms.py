"""Forms: every field's error at once. Errors are message keys; pages translate them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from backend.ids import is_id
from web.i18n import msg

T = TypeVar("T")

FORM_LIMIT = 16_384  # characters of one field


class Form:
    """What a person sent: values to draw again, errors by field ("" is for the whole form)."""

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        self.values = {
            name: value[:FORM_LIMIT]
            for name, value in (data or {}).items()
            if isinstance(value, str) and not name.startswith("_")
        }
        self.errors: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def __bool__(self) -> bool:
        """Whether it may be acted upon."""
        return not self.errors

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    def refuse(self, name: str, message: str) -> None:
        self.errors.setdefault(name, message)

    def read(self, name: str, parse: Callable[[str], T | None], message: str) -> T | None:
        """The parsed field; where parse gives None, the message becomes the field's error."""
        value = parse(self[name].strip())
        if value is None:
            self.refuse(name, message)
        return value

    def text(self, name: str, kind: type[T], message: str) -> T | None:
        """A field that must satisfy the constraints of an annotated type."""

        def parse(text: str) -> T | None:
            try:
                return msgspec.convert(text, kind)
            except msgspec.ValidationError:
                return None

        return self.read(name, parse, message)

    def id(self, name: str, prefix: str) -> str:
        """A hidden id that this form was drawn with; "" and an error if it was tampered with."""
        if is_id(self[name], prefix):
            return self[name]
        self.refuse("", msg("This form is out of date. Open the page again."))
        return ""
