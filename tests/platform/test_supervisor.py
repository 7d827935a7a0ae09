"""`yipay up`: restarts what dies, stops what it started, and refuses in one line."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import pytest

from tests.platform.stack import Stack, alive
from tests.ports import free_port

PARTS = {"cluster tx", "cluster sec", "risk", "ledger", "worker", "bff"}

pytestmark = [
    pytest.mark.xdist_group("supervisor"),
    pytest.mark.timeout(240),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="yp") as name:
        os.chmod(name, 0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def wallet(folder: Path) -> Iterator[Stack]:
    with Stack(folder / "shared", free_port()) as stack:
        stack.wait_until_ready()
        yield stack
        assert stack.process.poll() is None, stack.lines


def wait_for_another(stack: Stack, part: str, old: int) -> None:
    deadline = time.monotonic() + 60
    while stack.parts().get(part, old) == old:
        assert time.monotonic() < deadline, stack.lines
        time.sleep(0.1)


def wait_for_health(stack: Stack) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{stack.port + 1}/health/ready", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline, stack.lines
        time.sleep(0.2)


def test_each_phase_prints_a_line_and_all_parts_run(wallet: Stack) -> None:
    for part in PARTS:
        assert any(line.startswith(f"{part} … ready ") for line in wallet.lines), part
    assert set(wallet.parts()) == PARTS
    assert any(f"http://localhost:{wallet.port}" in line for line in wallet.lines)


@pytest.mark.crash
@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_that_is_killed_comes_back(wallet: Stack, part: str) -> None:
    wait_for_health(wallet)
    before = wallet.parts()
    old = wallet.kill(part)
    wait_for_another(wallet, part, old)
    wait_for_health(wallet)
    assert any(line.startswith(f"{part} ended (signal SIGKILL)") for line in wallet.lines)
    others = {"cluster tx", "cluster sec"} - {part}
    assert {name: wallet.parts()[name] for name in others} == {n: before[n] for n in others}


def test_a_second_up_on_the_same_folder_is_refused(wallet: Stack) -> None:
    with Stack(wallet.folder, free_port()) as second:
        line = second.refused()
    assert line.startswith("yipay: ")
    assert f"in use by another `yipay up` (pid {wallet.process.pid})" in line
    assert "Traceback" not in "".join(second.lines)


@pytest.mark.parametrize("offset", [0, 1])
def test_a_port_in_use_is_refused(folder: Path, offset: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        with Stack(folder / "port", port - offset) as stack:
            line = stack.refused()
    assert line.startswith(f"yipay: port {port} (")
    assert stack.lines == [line]
    assert not (folder / "port" / "tx").exists()


def test_a_folder_that_can_not_be_made_is_refused(folder: Path) -> None:
    with Stack(folder / "never", free_port(), "--data-dir", "/proc/nowhere") as stack:
        line = stack.refused()
    assert line.startswith("yipay: /proc/nowhere: ")
    assert stack.lines == [line]


def test_a_broken_data_folder_is_refused(folder: Path) -> None:
    broken = folder / "broken"
    (broken / "tx" / "data").mkdir(parents=True)
    with Stack(broken, free_port()) as stack:
        line = stack.refused()
    assert line.startswith(f"yipay: {broken}/tx/passwords.json: missing")
    assert "Traceback" not in "".join(stack.lines)


def test_ctrl_c_stops_everything_and_a_rerun_skips_what_is_done(folder: Path) -> None:
    port = free_port()
    with Stack(folder / "life", port) as first:
        first.wait_until_ready()
        started = first.parts()
        assert first.stop(signal.SIGINT) == 0
    assert [name for name, pid in started.items() if alive(pid)] == []
    assert first.lines[-1] == "stopped"
    with Stack(folder / "life", port) as second:
        second.wait_until_ready()
        assert not any("made" in line or "migrated" in line for line in second.lines)
        assert second.stop(signal.SIGTERM) == 0


@pytest.mark.crash
def test_a_killed_supervisor_leaves_nobody_behind(folder: Path) -> None:
    port = free_port()
    with Stack(folder / "killed", port) as first:
        first.wait_until_ready()
        started = first.parts()
        first.stop(signal.SIGKILL)
        deadline = time.monotonic() + 20
        while any(alive(pid) for pid in started.values()):
            assert time.monotonic() < deadline, [n for n, p in started.items() if alive(p)]
            time.sleep(0.05)
    with Stack(folder / "killed", port) as second:  # at once, on the same ports and sockets
        second.wait_until_ready()
        assert set(second.parts()) == PARTS


@pytest.mark.crash
def test_ctrl_c_while_starting_stops_what_was_started(folder: Path) -> None:
    with Stack(folder / "early", free_port()) as stack:
        stack.wait_for("cluster tx … ready")
        started = stack.parts()
        assert stack.stop() == 0
    assert [name for name, pid in started.items() if alive(pid)] == []
