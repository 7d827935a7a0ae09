"""`python -m e2e.browser`: make sure that there is a Chromium, or say in one line what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Playwright, sync_playwright

INSTALL_TIMEOUT_S = 300
APT = ("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk")


def chromium(playwright: Playwright) -> Path | None:
    """Playwright's own where it was downloaded, else the system's."""
    own = Path(playwright.chromium.executable_path)
    system = shutil.which("chromium") or shutil.which("chromium-browser")
    return own if own.exists() else Path(system) if system else None


def main() -> None:
    with sync_playwright() as playwright:
        if chromium(playwright) is None and os.geteuid() == 0 and shutil.which("apt-get"):
            subprocess.run(["apt-get", "update", "-qq"], timeout=INSTALL_TIMEOUT_S, check=False)
            subprocess.run(APT, timeout=INSTALL_TIMEOUT_S, check=False, stdout=subprocess.DEVNULL)
        if chromium(playwright) is None:
            sys.exit("Chromium is missing: install the package chromium, then run make test again")


if __name__ == "__main__":
    main()
