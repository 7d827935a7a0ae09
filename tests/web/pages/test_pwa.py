"""The installable app keeps hashed files and one public page, nothing of a person."""

import json
import re

from tests.web.pages.conftest import Enter


async def test_the_worker_keeps_hashed_files_only(enter: Enter) -> None:
    guest = await enter(name="安娜")
    script = await guest.see("/sw.js")
    assert script.headers["content-type"].startswith("text/javascript")
    found = re.search(r"new Set\((\[.*?\])\)", script.text)
    assert found
    files = json.loads(found[1])
    assert files
    for file in files:
        assert re.fullmatch(r"/static/.+\.[0-9a-f]{12}\.\w+", file)
        answer = await guest.see(file)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


async def test_the_offline_page_knows_nobody(enter: Enter) -> None:
    guest = await enter(name="安娜")
    page = await guest.see("/offline")
    assert page.status_code == 200
    assert "安娜" not in page.text
    assert guest.wallet.person_id not in page.text
    assert "_csrf_token" not in page.text
    assert "<script" not in page.text


async def test_the_manifest_s_files_exist(enter: Enter) -> None:
    guest = await enter()
    manifest = (await guest.see("/manifest.webmanifest")).json()
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        assert (await guest.see(icon["src"])).status_code == 200
    for shortcut in manifest["shortcuts"]:
        assert (await guest.see(shortcut["url"])).status_code == 200
