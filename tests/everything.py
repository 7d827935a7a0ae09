"""`python -m tests.everything`: all tests, then one line with the sum.

Two runs: the browser's story wants the machine for itself, the others share it.
"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import msgspec

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = ROOT / "artefacts"
WORKERS = max(2, min(len(os.sched_getaffinity(0)), 8))  # one to a core
RUNS = {
    "tests": ("-n", str(WORKERS), "--dist", "loadgroup", "tests"),
    "e2e": ("e2e",),
}


class Count(msgspec.Struct):
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def main() -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    total = Count()
    codes = [run(name, options, total) for name, options in RUNS.items()]
    sys.stdout.write(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped\n")
    sys.exit(1 if any(codes) or total.failed else 0)


def run(name: str, options: tuple[str, ...], total: Count) -> int:
    report = ARTEFACTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *options]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if report.exists():
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            tests, skipped = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
            failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
            total.failed += failed
            total.skipped += skipped
            total.passed += tests - failed - skipped
    return code


if __name__ == "__main__":
    main()
