"""Verifying a packet: from public data alone, by the service and on the command line."""

import hashlib
import hmac
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from backend.redpacket import FORMULA, Proof
from backend.redpacket.proof import report, verified
from backend.redpacket.shares import commitment, lucky_shares
from backend.settings import to_environment
from mobile_api.packet_views import proof_view
from tests.redpacket.conftest import Party

SEED, PACKET = bytes(range(32)), "red_01kb000000e00800000000000a"
PROOF = Proof(
    packet_id=PACKET,
    kind="lucky",
    total_fen=10_00,
    count=5,
    seed_hash=commitment(SEED, PACKET).hex(),
    seed=SEED.hex(),
    amounts=tuple(lucky_shares(SEED, PACKET, 10_00, 5)),
)


def test_a_fair_packet() -> None:
    found = verified(PROOF)
    assert (found.fair, found.wrong, found.shares) == (True, (), PROOF.amounts)
    assert report(found)[-1] == "fair"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"amounts": (155, 289, 116, 380, 60)}, (2, 3)),
        ({"seed_hash": "00" * 32}, ()),
        ({"seed": "00" * 32}, (0, 1, 2, 3, 4)),
        ({"seed": "no seed"}, (0, 1, 2, 3, 4)),
        ({"packet_id": PACKET[:-1] + "b"}, (0, 1, 2, 3, 4)),
        ({"count": 0}, (0, 1, 2, 3, 4)),
        ({"kind": "equal", "count": 5}, (0, 1, 2, 3, 4)),
    ],
)
def test_one_that_is_not(changes: dict[str, object], wrong: tuple[int, ...]) -> None:
    found = verified(msgspec.structs.replace(PROOF, **changes))
    assert not found.fair
    assert found.wrong == wrong
    assert report(found)[-1] == "NOT FAIR"


async def test_the_command(party: Party) -> None:
    anna = await party.world.person(100_00)
    packet = await party.send(anna, count=1)

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "backend.cli", "verify", "packet", packet.packet_id],
            env=to_environment(party.world.settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    early = run()
    assert (early.returncode, "packet_not_ended" in early.stderr) == (1, True)
    await party.open(packet, anna)
    done = run()
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "fair")


def offline(*words: str) -> subprocess.CompletedProcess[str]:
    """Where nothing of ours is: no settings, no database."""
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", "verify", "packet", *words],
        env={"PATH": "/usr/bin", "YIPAY_DATA_DIR": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def downloaded(**changes: object) -> bytes:
    """As the address /api/v1/red-packets/{id}/proof answers it."""
    found = verified(msgspec.structs.replace(PROOF, **changes))
    return msgspec.json.encode(proof_view(found))


def test_from_a_file_without_any_database(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(downloaded())
    done = offline(str(file))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "fair"), done.stderr
    file.write_bytes(downloaded(amounts=(155, 289, 116, 380, 60)))
    done = offline(str(file))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "NOT FAIR")
    lied = msgspec.json.decode(downloaded(seed_hash="00" * 32)) | {"fair": True, "seed_fits": True}
    file.write_bytes(msgspec.json.encode(lied))
    assert offline(str(file)).returncode == 1


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"packet": 1}', "nothing"])
def test_what_is_no_proof(tmp_path: Path, text: str) -> None:
    file = tmp_path / "proof.json"
    file.write_text(text)
    done = offline(str(file))
    assert (done.returncode, "no proof of a packet" in done.stderr) == (1, True)
    assert offline(str(tmp_path / "missing.json")).returncode == 2


def test_its_help_says_how() -> None:
    said = offline("--help").stdout
    assert FORMULA in said
    assert "/api/v1/red-packets/PACKET_ID/proof" in " ".join(said.split())


def by_the_words(seed: bytes, packet_id: str, total: int, count: int) -> list[int]:
    """The formula as its words say, written without looking at the code."""
    shares: list[int] = []
    for position in range(count):

        def draw(d: int, bound: int, position: int = position) -> int:
            i = 0
            while True:
                numbers = b"".join(n.to_bytes(4, "big") for n in (position, d, i))
                text = b"yipay/packet-share/v1\n" + packet_id.encode() + b"\n" + numbers
                x = int.from_bytes(hmac.new(seed, text, hashlib.sha256).digest()[:8], "big")
                if x < 2**64 - 2**64 % bound:
                    return x % bound
                i += 1

        rest, n = total - sum(shares), count - position
        if n == 1:
            shares.append(rest)
            continue
        lo, hi = max(1, rest - 20000 * (n - 1)), min(20000, rest - (n - 1))
        if rest - n * lo <= n * hi - rest:
            start, whole = lo, 2 * rest - n * lo
            end = whole // n + (draw(0, n) < whole % n)
        else:
            end, whole = hi, 2 * rest - n * hi
            start = whole // n + (draw(0, n) < whole % n)
        shares.append(start + draw(1, end - start + 1))
    return shares


@pytest.mark.parametrize(("total", "count"), [(10_00, 5), (7, 5), (99_999, 5), (100_01, 2)])
def test_the_words_give_the_same_shares(total: int, count: int) -> None:
    for n in range(20):
        seed = hashlib.sha256(bytes([n])).digest()
        assert by_the_words(seed, PACKET, total, count) == lucky_shares(seed, PACKET, total, count)
