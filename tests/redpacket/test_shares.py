"""The lucky split: sums, bounds, equal means by position, even amounts, and nothing to foresee."""

import hmac
import itertools
import statistics
from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.redpacket.shares import all_shares, commitment, lucky_share, lucky_shares

PACKET = "red_01kb000000e00800000000000a"


def seed_of(number: int) -> bytes:
    """Fixed seeds: a statistical test that says the same every time."""
    return sha256(b"a seed of the tests %d" % number).digest()


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(1, 100).flatmap(
        lambda count: st.tuples(st.just(count), st.integers(count, count * 200_00))
    ),
)
def test_shares_add_up_and_keep_their_bounds(seed: bytes, size: tuple[int, int]) -> None:
    count, total = size
    shares = lucky_shares(seed, PACKET, total, count)
    assert len(shares) == count
    assert sum(shares) == total
    assert all(1 <= share <= 200_00 for share in shares)


@pytest.mark.parametrize(("total", "count"), [(5, 5), (100 * 200_00, 100), (1, 1), (200_00, 1)])
def test_where_nothing_is_left_to_chance(total: int, count: int) -> None:
    assert lucky_shares(seed_of(1), PACKET, total, count) == [total // count] * count


@pytest.mark.parametrize(("kind", "lucky"), [("lucky", True), ("passcode", True), ("equal", False)])
def test_kinds(kind: str, lucky: bool) -> None:
    shares = all_shares(kind, seed_of(2), PACKET, 100_00, 10)
    assert sum(shares) == 100_00
    assert (len(set(shares)) > 1) is lucky


# Total and count; the last ones are where an end of the interval is cut: by the cap, by one fen,
# and where the mean is a fraction.
PACKETS = [(100_00, 10), (12, 5), (10, 9), (190_00 * 6, 6), (199_99 * 3 + 1, 3), (150_00 * 4, 4)]
ROUNDS = 4000


@pytest.mark.parametrize(("total", "count"), PACKETS)
def test_every_position_gets_the_same_on_average(total: int, count: int) -> None:
    rounds = [lucky_shares(seed_of(n), PACKET, total, count) for n in range(ROUNDS)]
    for position in range(count):
        found = [shares[position] for shares in rounds]
        error = statistics.pstdev(found) / ROUNDS**0.5
        assert abs(statistics.fmean(found) - total / count) < 4 * error + 1e-9


def test_the_spread_grows_for_late_openers() -> None:
    rounds = [lucky_shares(seed_of(n), PACKET, 100_00, 10) for n in range(ROUNDS)]
    spread = [statistics.pstdev(shares[p] for shares in rounds) / 100 for p in range(10)]
    assert 5.6 < spread[0] < 6.0
    assert 7.3 < spread[9] < 8.1


@pytest.mark.parametrize(
    ("rest", "left", "low", "high"),
    [
        (100_00, 10, 1, 19_99),  # twice the mean
        (60, 6, 1, 19),
        (380_00, 2, 180_00, 200_00),  # the cap, mirrored about the mean
        (200_02, 2, 2, 200_00),
    ],
)
def test_amounts_are_uniform(rest: int, left: int, low: int, high: int) -> None:
    """Chi-square over at most 20 bins, at 0.1 %."""
    width = high - low + 1
    bins = min(width, 20)
    counts = [0] * bins
    for n in range(ROUNDS):
        share = lucky_share(seed_of(n), PACKET, 0, rest, left)
        assert low <= share <= high
        counts[(share - low) * bins // width] += 1
    expected = [0] * bins
    for value in range(width):
        expected[value * bins // width] += 1
    chi = sum(
        (seen - ROUNDS * part / width) ** 2 / (ROUNDS * part / width)
        for seen, part in zip(counts, expected, strict=True)
    )
    assert chi < 43.8  # 19 degrees of freedom


def test_a_fraction_of_a_fen_is_not_lost() -> None:
    """10 fen for 9: the first gets one fen or two, 1 1/9 on average, not always one."""
    found = [lucky_share(seed_of(n), PACKET, 0, 10, 9) for n in range(ROUNDS)]
    assert set(found) == {1, 2}
    assert abs(statistics.fmean(found) - 10 / 9) < 0.02


def test_a_published_proof_stays_good() -> None:
    """Pinned: a change of the formula would break every proof that was ever published."""
    seed = bytes(range(32))
    assert (
        commitment(seed, PACKET)
        == sha256(b"yipay/packet-seed/v1\n" + seed + PACKET.encode()).digest()
    )
    assert lucky_shares(seed, PACKET, 10_00, 5) == [155, 289, 115, 381, 60]


def by_the_book(seed: bytes, total: int, count: int) -> list[int]:
    """The documented formula once more, in fractions, by somebody who has not read our code."""
    shares: list[int] = []
    for position in range(count):
        rest, n = total - sum(shares), count - position

        def draw(d: int, bound: int, position: int = position) -> int:
            for i in range(100):
                numbers = b"".join(x.to_bytes(4, "big") for x in (position, d, i))
                text = b"yipay/packet-share/v1\n" + PACKET.encode() + b"\n" + numbers
                x = int.from_bytes(hmac.new(seed, text, sha256).digest()[:8], "big")
                if x < 2**64 // bound * bound:
                    return x % bound
            raise AssertionError

        if n == 1:
            shares.append(rest)
            continue
        low, high = max(1, rest - 20000 * (n - 1)), min(20000, rest - (n - 1))
        mean = Fraction(rest, n)
        half = min(mean - low, high - mean)
        ends = []
        for end in (mean - half, mean + half):
            whole = end.numerator // end.denominator
            part = int((end - whole) * n)
            ends.append(whole + (draw(0, n) < part if part else 0))
        shares.append(ends[0] + draw(1, ends[1] - ends[0] + 1))
    return shares


@given(st.integers(1, 12), st.integers(0, 2**40), st.data())
def test_anybody_can_recompute_them(count: int, number: int, data: st.DataObject) -> None:
    total = data.draw(st.integers(count, count * 200_00))
    seed = seed_of(number)
    assert lucky_shares(seed, PACKET, total, count) == by_the_book(seed, total, count)


def test_nobody_knows_the_next_share_before_it_is_opened() -> None:
    """What an opener sees (id, commitment, the shares so far) is the same for seeds that go on
    differently; and other seeds, ids or positions have nothing in common."""
    first = lucky_share(seed_of(0), PACKET, 0, 20, 4)
    agreeing = [
        n
        for n in range(20_000)
        if lucky_share(seed_of(n), PACKET, 0, 20, 4) == first
        and lucky_share(seed_of(n), PACKET, 1, 20 - first, 3) == 1
    ]
    nexts = {lucky_share(seed_of(n), PACKET, 2, 19 - first, 2) for n in agreeing}
    assert nexts == set(range(1, 19 - first))  # every amount that is possible at all
    assert len({commitment(seed_of(n), PACKET) for n in agreeing}) == len(agreeing)


def test_the_commitment_binds_seed_and_packet() -> None:
    assert commitment(seed_of(0), PACKET) != commitment(seed_of(1), PACKET)
    assert commitment(seed_of(0), PACKET) != commitment(seed_of(0), PACKET[:-1] + "b")
    with pytest.raises(AssertionError):
        commitment(b"short", PACKET)


def test_positions_and_packets_are_independent() -> None:
    positions = [lucky_share(seed_of(0), PACKET, p, 100_00, 10) for p in range(2000)]
    packets = [lucky_share(seed_of(0), f"{PACKET}{p}", 0, 100_00, 10) for p in range(2000)]
    for one in (positions, packets):
        assert abs(statistics.fmean(one) - 10_00) < 60
        pairs = list(itertools.pairwise(one))
        mean = statistics.fmean(one)
        covariance = statistics.fmean((a - mean) * (b - mean) for a, b in pairs)
        assert abs(covariance / statistics.pvariance(one)) < 0.08
