"""Languages: complete catalogues, a text per refusal, money and times as people write them."""

import string
from datetime import UTC, date, datetime
from importlib import import_module
from pkgutil import walk_packages

import pytest

import backend
from backend.errors import REFUSALS, DomainError
from backend.merchant.acts import KINDS
from backend.payments import InsufficientBalance
from backend.risk.refusals import CodeWrong, LimitExceeded
from backend.texts import LOCALES, money, negotiate
from web import catalogue
from web.i18n import texts

NOT_IMPORTED = ("migrations", "piccolo_")  # they need an engine; none defines a refusal


def _import_all() -> None:
    for module in walk_packages(backend.__path__, "backend."):
        if not any(part in module.name for part in NOT_IMPORTED):
            import_module(module.name)


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("check", catalogue.CHECKS)
def test_catalogues_are_complete(language: str, check: str) -> None:
    assert catalogue.CHECKS[check](language) == []


def test_the_extraction_sees_the_pages() -> None:
    found = catalogue.extracted()
    assert "Sign in with a passkey" in found  # a template
    assert "There is no such page." in found  # Python


@pytest.mark.parametrize("language", LOCALES)
def test_every_act_of_the_staff_has_a_text(language: str) -> None:
    said = texts(language)
    assert [kind for kind in sorted(KINDS) if said.gettext(f"act.{kind}") == f"act.{kind}"] == []


@pytest.mark.parametrize("language", LOCALES)
def test_every_refusal_says_what_happened_and_what_to_do(language: str) -> None:
    _import_all()
    said = texts(language)
    for code in sorted(REFUSALS):
        text = said.refusal_code(code)
        for part in (text.what, text.money, text.todo):
            assert part, code
            assert "refusal." not in part, code
            assert "money_moved." not in part, code
            assert not list(_fields(part)), f"{code}: only the detail may have parameters"


def test_both_languages_fill_in_the_same_parameters() -> None:
    _import_all()
    for code in REFUSALS:
        key = f"refusal.{code}.detail"
        zh, en = (set(_fields(texts(language).gettext(key))) for language in LOCALES)
        assert zh == en, code


def test_parameters_are_filled_in() -> None:
    en = texts("en")
    assert en.refusal(CodeWrong(tries_left=2)).detail == "Tries left: 2."
    assert en.refusal(CodeWrong()).detail == ""
    assert en.refusal(InsufficientBalance(short_fen=1234_50)).detail == "¥1,234.50 is missing."
    detail = en.refusal(LimitExceeded(limit="free_day", left_fen=0)).detail
    assert detail == "Payments without passkey: ¥0.00 left."


def test_a_refusal_of_a_newer_peer_has_a_text_too() -> None:
    assert texts("en").refusal_code("never_heard_of").what == "This was refused."
    assert texts("en").refusal(DomainError()).what == "This was refused."


@pytest.mark.parametrize(
    ("chosen", "cookie", "accepted", "language"),
    [
        ("", "", "", "zh-CN"),
        ("en", "zh-CN", "zh", "en"),
        ("", "en", "zh-CN", "en"),
        ("", "xx", "en-GB,en;q=0.9", "en"),
        ("", "", "de-DE,en;q=0.5", "en"),
        ("", "", "zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("", "", "fr", "zh-CN"),
        ("", "", ";;,,=", "zh-CN"),
    ],
)
def test_the_language_is_negotiated(chosen: str, cookie: str, accepted: str, language: str) -> None:
    assert negotiate(chosen, cookie, accepted) == language


def test_money_and_times() -> None:
    at = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)  # half past midnight in Shanghai
    assert money(1234_56) == "¥1,234.56"
    assert money(-5) == "-¥0.05"
    assert texts("zh-CN").when(at) == "2026年11月23日 00:30"
    assert texts("en").when(at) == "23 Nov 2026, 00:30"
    assert texts("zh-CN").day(at) == texts("zh-CN").day(date(2026, 11, 23))


def _fields(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name]


@pytest.mark.parametrize(
    ("limit", "left_fen", "said"),
    [
        ("topup_each", 5_000_00, "单笔充值最多 ¥5,000.00。"),
        ("topup_day", 120_50, "今天还可以充值 ¥120.50。"),
        ("packet_new", 120_50, "新账户今天还可发 ¥120.50 的红包。"),
        ("packet_machine", 120_50, "本设备上的所有账户今天合计还可发 ¥120.50 的红包。"),
        ("free_day", 120_50, "免密每日：还剩 ¥120.50。"),
    ],
)
def test_a_limit_says_what_is_left(limit: str, left_fen: int, said: str) -> None:
    assert texts("zh-CN").refusal(LimitExceeded(limit=limit, left_fen=left_fen)).detail == said


def test_a_limit_that_counts_speaks_of_no_money() -> None:
    refusal = LimitExceeded(limit="topup_in_transit", left_fen=0)
    for language in LOCALES:
        assert "¥" not in texts(language).refusal(refusal).detail
