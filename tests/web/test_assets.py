"""Static files: hashed names for ever, plain names asked for again, small on the wire."""

import gzip
from pathlib import Path

import pytest
from litestar import Litestar

from tests.web.browser import client_of
from web.assets import Assets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "a.css").write_text("body { color: red }\n" * 50)
    (tmp_path / "tiny.js").write_text("1")
    return tmp_path


def test_names_follow_contents(folder: Path) -> None:
    before = Assets(folder)
    (folder / "css" / "a.css").write_text("body { color: blue }")
    after = Assets(folder)
    assert before.url("css/a.css") != after.url("css/a.css")
    assert before.url("tiny.js") == after.url("tiny.js")
    assert after.url("css/a.css").startswith("/static/css/a.")


def test_unknown_names_are_a_bug(folder: Path) -> None:
    with pytest.raises(AssertionError, match="no static file"):
        Assets(folder).url("css/b.css")


def test_packing_never_makes_a_file_larger(folder: Path) -> None:
    assets = Assets(folder)
    large, tiny = assets.find("css/a.css"), assets.find("tiny.js")
    assert large is not None
    assert gzip.decompress(large.packed) == large.body
    assert tiny is not None
    assert not tiny.packed


async def test_files_are_served(app: Litestar) -> None:
    url = app.state.assets.url("css/base.css")
    async with client_of(app) as client:
        answer = await client.get(url)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"].startswith("text/css")
        assert not answer.headers.get_list("set-cookie")
        again = await client.get(url, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = await client.get("/static/css/base.css", headers={"Accept-Encoding": "identity"})
        assert plain.headers["cache-control"] == "no-cache"
        assert "content-encoding" not in plain.headers
        for outside in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"):
            assert (await client.get(outside)).status_code == 404
