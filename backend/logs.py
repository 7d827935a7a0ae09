"""Structured logs. Redaction is the last line of defence, not a licence to log secrets."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from backend.settings import Settings

REDACTED = "[redacted]"
MAX_DEPTH = 6  # of nested values; deeper ones are not looked into, so they are not shown

_SECRET_KEY = re.compile(
    r"(secret|passw|token|cookie|authorization|assertion|phone|mobile|"
    r"display_name|real_name|card_number|otp|sms_text|private|response_json|"
    r"proof|dpop)",
    re.IGNORECASE,
)
_SECRET_VALUES = re.compile(
    r"""
    (?P<url>://[^/\s:@]+:)[^@\s/]+(?=@)                  # a password in an address
    | (?P<link>/(?:j|g|f|r|downloads|[a-z]+-links|shop-invitations)/)[\w-]+  # who has it, may
    | (?<!\w)(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\w)  # a Chinese mobile number
    | (?<!\w)\+[1-9]\d{7,14}(?!\w)                      # any other in international form
    | (?<!\w)\d{15,19}(?!\w)                            # a card or identity number
    | \beyJ[\w-]+\.[\w-]+\.[\w-]*                       # a JSON web token
    | \b[0-9a-fA-F]{64,}\b                              # 256 bits in hexadecimal
    | (?<![\w/-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[A-Za-z0-9_-]{40,}={0,2}(?![\w/])
    """,
    re.VERBOSE,
)


def configure(settings: Settings, part: str) -> None:
    """Everything this process logs, libraries included, goes to standard error in one form."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _named(part),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: secrets and personal data become REDACTED, by key and by look."""
    return {key: _clean(key, value, MAX_DEPTH) for key, value in event.items()}


def _clean(key: str, value: Any, depth: int) -> Any:
    if key.startswith("_"):  # structlog's own, removed before rendering
        return value
    if depth == 0 or _SECRET_KEY.search(key) or isinstance(value, bytes | bytearray):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(k): _clean(str(k), v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", v, depth - 1) for v in value]
    if value is None or isinstance(value, bool):
        return value
    cleaned = _SECRET_VALUES.sub(_mask, str(value))
    return value if cleaned == value or cleaned == str(value) else cleaned


def _mask(found: re.Match[str]) -> str:
    return (found["url"] or found["link"] or "") + REDACTED


def _named(part: str) -> Processor:
    def name(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["part"] = part
        return event

    return name


def _renderer(settings: Settings) -> Processor:
    if settings.log_format == "console":
        # Its own choice would be tracebacks with the values of all local variables.
        return structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer(ensure_ascii=False)
