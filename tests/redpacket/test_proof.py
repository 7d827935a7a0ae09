"""Verifying a packet: from public data alone, by the service and on the command line."""

import subprocess
import sys

import msgspec
import pytest

from backend.redpacket import Proof
from backend.redpacket.proof import report, verified
from backend.redpacket.shares import commitment, lucky_shares
from backend.settings import to_environment
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
