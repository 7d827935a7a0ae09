"""No secret and no personal data in logs, whoever logs and however."""

import json
import logging
from collections.abc import Callable

import pytest
import structlog

from backend import logs
from backend.settings import Settings
from tests.device_key import DeviceKey


@pytest.fixture(autouse=True)
def _restore() -> object:
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, level = before
    root.setLevel(level)
    structlog.reset_defaults()


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().err.splitlines()[-1])
    return found


SECRETS = [
    "13812345678",
    "+8613812345678",
    "+86 138 1234 5678",
    "138-1234-5678",
    "+447911123456",
    "6222021234567890123",
    "11010519491231002X"[:17] + "0",
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3IifQ.c2lnbmF0dXJl",
    "a3" * 32,
    "Zk3vQ9pL0xWc7RbTn2YhJ5mDs8UeGf1AoKiPqX4wVtE",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_known_by_their_look(capsys: pytest.CaptureFixture[str], secret: str) -> None:
    logs.configure(Settings(), "test")
    log = structlog.get_logger("a")
    log.info("seen", note=f"before {secret} after", deep={"list": [secret, (secret,)]})
    logging.getLogger("library").warning("it said %s", secret)
    err = capsys.readouterr().err
    assert secret not in err
    assert err.count(logs.REDACTED) >= 4
    assert "before" in err


@pytest.mark.parametrize(
    "path", ["/j/", "/g/", "/f/", "/r/", "/downloads/", "/v1/group-links/", "/v1/shop-invitations/"]
)
def test_links_that_let_in_whoever_has_them_are_cut(
    capsys: pytest.CaptureFixture[str], path: str
) -> None:
    """Lower case alone has no look of a secret: the address says that it is one."""
    logs.configure(Settings(), "test")
    logging.getLogger("library").error("Uncaught exception (path=%r):", f"{path}{'a' * 43}/confirm")
    err = capsys.readouterr().err
    assert "a" * 43 not in err
    assert f"{path}{logs.REDACTED}/confirm" in err


def test_a_password_in_an_address_goes_and_the_address_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(Settings(), "test")
    structlog.get_logger().error("down", url="postgresql://yipay_app:sesame@db:5432/yipay_tx")
    assert line(capsys)["url"] == f"postgresql://yipay_app:{logs.REDACTED}@db:5432/yipay_tx"


@pytest.mark.parametrize(
    "key",
    [
        "phone",
        "device_secret",
        "token",
        "password",
        "Cookie",
        "display_name",
        "phone_number",
        "device_proof",
        "DPoP",
    ],
)
def test_secrets_are_known_by_their_name(capsys: pytest.CaptureFixture[str], key: str) -> None:
    logs.configure(Settings(), "test")
    structlog.get_logger().info("seen", **{key: "short"})
    assert line(capsys)[key] == logs.REDACTED


def test_what_operators_need_stays(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(), "test")
    facts = {
        "payment": "pay_01k9qj3v7fexyrj0bq3m2d8n5t",
        "code": "insufficient_funds",
        "path": "/pay/ord_01k9qj3v7fexyrj0bq3m2d8n5t",
        "seq": 123456,
        "ms": 1_763_840_000_000,
        "took": 0.25,
        "at": "2026-11-22T20:18:50.123456Z",
        "fen": 10_000_000_000,
        "none": None,
        "yes": True,
    }
    structlog.get_logger().info("posted", **facts)
    found = line(capsys)
    assert {key: found[key] for key in facts} == facts
    assert (found["part"], found["level"], found["event"]) == ("test", "info", "posted")


def test_bytes_never_show(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(), "test")
    structlog.get_logger().info("seen", body=b"anything")
    assert line(capsys)["body"] == logs.REDACTED


def test_tracebacks_are_cleaned_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(), "test")
    try:
        raise ValueError("no such number +8613812345678")
    except ValueError:
        structlog.get_logger().exception("failed")
    found = line(capsys)
    assert "13812345678" not in str(found)
    assert "test_tracebacks_are_cleaned_too" in str(found["exception"])


PROOF = DeviceKey().proof("POST", "http://localhost:8000/api/v1/payments", 0)


def held(device_secret: str, proof: str) -> None:
    """Fails with secrets in its variables, its arguments and an inner failure's words."""
    found = {"secret": device_secret, "deep": [proof]}
    try:
        raise LookupError(f"no device for {proof}")
    except LookupError as error:
        raise RuntimeError(f"{len(found)} things, {device_secret}") from error


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("secret", ["Zk3vQ9pL0xWc7RbTn2YhJ5mDs8UeGf1AoKiPqX4wVtE", PROOF])
def test_variables_are_not_shown(
    capsys: pytest.CaptureFixture[str], form: str, secret: str
) -> None:
    """The console would show the values of local variables in tracebacks if it were let."""
    logs.configure(Settings(log_format=form), "test")
    ways: list[Callable[[Exception], None]] = [
        lambda error: structlog.get_logger().exception("failed"),
        lambda error: structlog.get_logger().error("failed", exc_info=error),
        lambda error: structlog.get_logger().error("failed", exc_info=True, stack_info=True),
        lambda error: structlog.get_logger().error("failed", error=error, why=repr(error)),
        lambda error: logging.getLogger("library").exception("failed"),
        lambda error: logging.getLogger("library").error("failed", exc_info=error),
        lambda error: logging.getLogger("library").error("failed: %r", error, stack_info=True),
    ]
    for way in ways:
        try:
            held(secret, PROOF)
        except RuntimeError as error:
            way(error)
        shown = capsys.readouterr().err
        assert "failed" in shown
        for text in (secret, PROOF, PROOF.split(".")[1], PROOF.split(".")[2]):
            assert text not in shown
            assert text[:30] not in shown  # nor cut short
        assert "locals" not in shown


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_group_of_failures_shows_no_variables(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    logs.configure(Settings(log_format=form), "test")
    try:
        failures = []
        for secret in ("first-secret-of-a-device", PROOF):
            try:
                held(secret, PROOF)
            except RuntimeError as error:
                failures.append(RuntimeError("one of them").with_traceback(error.__traceback__))
        raise ExceptionGroup("several", failures)
    except ExceptionGroup:
        structlog.get_logger().exception("failed")
    shown = capsys.readouterr().err
    assert "one of them" in shown
    assert "first-secret-of-a-device" not in shown
    assert PROOF[:30] not in shown


def test_the_level_is_kept_and_people_may_read_along(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_level="warning", log_format="console"), "test")
    structlog.get_logger().info("unseen")
    structlog.get_logger().warning("seen", phone="13812345678")
    err = capsys.readouterr().err
    assert "unseen" not in err
    assert "seen" in err
    assert "13812345678" not in err
