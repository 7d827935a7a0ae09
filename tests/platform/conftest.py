"""Folders and ports of a test's own."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose sockets fit into the kernel's 107 bytes; others may pass through it."""
    with TemporaryDirectory(prefix="yp") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path
