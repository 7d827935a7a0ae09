"""The cookies, all of them `__Host-`: this host only, secure transport only, never to scripts."""

from datetime import timedelta
from typing import Literal

from litestar.datastructures import Cookie

from backend.identity import SESSION_LIFE

SESSION = "__Host-session"
DEVICE = "__Host-device"  # the device's secret: proves the bound device, signs nobody in
CSRF = "__Host-csrf"  # of visitors without a session
LANGUAGE = "__Host-lang"
AMOUNTS = "__Host-amounts"  # set while amounts on the home page are hidden
TILL = "__Host-till"  # which terminal this browser stands at
ENROLMENT = "__Host-enrolment"  # which sign-up this browser is in the middle of
NEXT = "__Host-next"  # where a visitor who opens a wallet wanted to go

DEVICE_LIFE = timedelta(days=400)  # the longest that browsers keep
LANGUAGE_LIFE = timedelta(days=400)
ENROLMENT_LIFE = timedelta(minutes=30)


def session(token: str) -> Cookie:
    return _cookie(SESSION, token, SESSION_LIFE)


def device(secret: str) -> Cookie:
    return _cookie(DEVICE, secret, DEVICE_LIFE)


def csrf(secret: str) -> Cookie:
    """Lax: a visitor who arrives from another site must keep the token of tabs already open."""
    return _cookie(CSRF, secret, None, "lax")


def language(choice: str) -> Cookie:
    return _cookie(LANGUAGE, choice, LANGUAGE_LIFE, "lax")


def amounts_hidden() -> Cookie:
    return _cookie(AMOUNTS, "hidden", LANGUAGE_LIFE)


def till(terminal_id: str) -> Cookie:
    return _cookie(TILL, terminal_id, DEVICE_LIFE)


def enrolment(enrolment_id: str) -> Cookie:
    return _cookie(ENROLMENT, enrolment_id, ENROLMENT_LIFE)


def wanted(path: str) -> Cookie:
    return _cookie(NEXT, path, ENROLMENT_LIFE)


def gone(name: str) -> Cookie:
    """Makes the browser forget it."""
    return _cookie(name, "", timedelta(0))


def _cookie(
    name: str,
    value: str,
    life: timedelta | None,
    samesite: Literal["strict", "lax"] = "strict",
) -> Cookie:
    max_age = None if life is None else int(life.total_seconds())
    return Cookie(
        key=name,
        value=value,
        max_age=max_age,
        path="/",
        secure=True,
        httponly=True,
        samesite=samesite,
    )
