"""Charts and rates in whole numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.charts import HEIGHT, bars, change, mean, scale_of, share

amounts = st.lists(st.integers(0, 10**12), min_size=23, max_size=25)


@given(amounts, amounts)
def test_bars_stay_in_the_picture(given: list[int], others: list[int]) -> None:
    length = min(len(given), len(others))
    chart = bars(tuple(given[:length]), tuple(others[:length]))
    assert chart.top_fen >= max(*given[:length], *others[:length])
    for bar, amount in zip(chart.bars, given, strict=False):
        assert 0 <= bar.height <= HEIGHT
        assert bar.y + bar.height == HEIGHT
        assert (bar.height > 0) == (amount > 0)
        assert 0 <= bar.x < bar.x + bar.width <= chart.width


@given(st.integers(0, 10**13))
def test_a_scale_is_round_and_near(largest: int) -> None:
    top = scale_of(largest)
    assert top >= largest
    assert str(top).rstrip("0") in {"1", "2", "4", "5"}
    assert top <= max(largest * 5 // 2, 100)


@pytest.mark.parametrize(
    ("now", "before", "moved"),
    [(150, 100, 500), (50, 100, -500), (100, 100, 0), (5, 0, None), (0, 7, -1000), (1, 3, -667)],
)
def test_change(now: int, before: int, moved: int | None) -> None:
    assert change(now, before) == moved


def test_share_and_mean() -> None:
    assert share(99, 100) == 990
    assert share(0, 0) is None
    assert share(1, 3) == 333
    assert mean(1000, 3) == 333
    assert mean(5, 2) == 3
    assert mean(0, 0) == 0
