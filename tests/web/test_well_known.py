"""What phones read about our apps: from the settings, or not there."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from backend.settings import Settings
from tests.web.browser import client_of
from tests.world import World, open_world
from web.app import create_app

APPLE, ANDROID = "/.well-known/apple-app-site-association", "/.well-known/assetlinks.json"
ONE, TWO = bytes(range(32)), b"\xff" * 32


@pytest.fixture
async def world(databases: Settings) -> AsyncIterator[World]:
    async with open_world(databases) as made:
        yield made


async def read(world: World, path: str, **changes: Any) -> httpx.Response:
    settings = msgspec.structs.replace(world.settings, **changes)
    app = create_app(settings, world.services, world.clock)
    async with app.lifespan(), client_of(app) as client:
        return await client.get(path, follow_redirects=False)


async def test_android_learns_who_signs_our_apps(world: World) -> None:
    apps = f"cn.yipay.wallet:{ONE.hex()},cn.yipay.beta:{TWO.hex(':')},cn.yipay.wallet:{TWO.hex()}"
    answer = await read(world, ANDROID, android_apps=apps)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    relation = [
        "delegate_permission/common.get_login_creds",
        "delegate_permission/common.handle_all_urls",
    ]
    wallet, beta = answer.json()
    assert wallet == {
        "relation": relation,
        "target": {
            "namespace": "android_app",
            "package_name": "cn.yipay.wallet",
            "sha256_cert_fingerprints": [
                ":".join(f"{n:02X}" for n in range(32)),
                ":".join(["FF"] * 32),
            ],
        },
    }
    assert (beta["relation"], beta["target"]["package_name"]) == (relation, "cn.yipay.beta")


async def test_apple_learns_which_apps_are_ours(world: World) -> None:
    apps = "ABCDE12345.cn.yipay.wallet,ABCDE12345.cn.yipay.beta"
    answer = await read(world, APPLE, apple_apps=apps)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"webcredentials": {"apps": apps.split(",")}}
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", [APPLE, ANDROID])
async def test_nothing_is_there_without_apps(world: World, path: str) -> None:
    assert (await read(world, path)).status_code == 404
