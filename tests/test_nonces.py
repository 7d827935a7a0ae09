"""Server nonces: no storage, all processes agree, good for a few minutes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.clock import FixedClock
from backend.nonces import STRETCH_S, Nonces

MEMORY = "of-before"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))


@pytest.fixture
def nonces(tmp_path: Path, clock: FixedClock) -> Nonces:
    return Nonces(tmp_path, clock, MEMORY)


def test_a_nonce_is_good_for_its_stretch_and_the_next(nonces: Nonces, clock: FixedClock) -> None:
    nonce = nonces.current()
    clock.move(timedelta(seconds=2 * STRETCH_S - 1))
    assert nonces.is_good(nonce)
    clock.move(timedelta(seconds=1))
    assert not nonces.is_good(nonce)


def test_a_nonce_of_the_future_is_not_good(nonces: Nonces, clock: FixedClock) -> None:
    clock.move(timedelta(seconds=STRETCH_S))
    ahead = nonces.current()
    clock.move(timedelta(seconds=-STRETCH_S))
    assert not nonces.is_good(ahead)


def test_processes_agree_and_other_keys_do_not(
    nonces: Nonces, tmp_path: Path, clock: FixedClock
) -> None:
    nonce = nonces.current()
    assert Nonces(tmp_path, clock, MEMORY).is_good(nonce)
    assert not Nonces(tmp_path / "other", clock, MEMORY).is_good(nonce)


def test_none_is_good_when_the_spent_proofs_are_lost(nonces: Nonces) -> None:
    nonce = nonces.current()
    nonces.memory_id = "of-after"
    assert not nonces.is_good(nonce)
    assert nonces.is_good(nonces.current())


@pytest.mark.parametrize("text", ["", "x", "é", "\x00", "A" * 24])
def test_a_guess_is_not_good(nonces: Nonces, text: str) -> None:
    assert not nonces.is_good(text)
