"""Scanning in a real browser: a camera that shows a real code, a picture, a refused camera."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
import segno
from PIL import Image
from playwright.sync_api import Browser, expect

from e2e import steps
from e2e.people import Visitor, launch_kind
from e2e.wallet import Wallet

WIDTH, HEIGHT, FRAMES = 640, 480, 30
BLANK_FRAMES = 20  # before somebody holds the code in front of the camera
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
BLOCKED = ("--deny-permission-prompts",)
CODE_READ_MS = 20_000


def grey(content: str) -> Image.Image:
    """A code as a camera sees it: not straight, not white, not alone."""
    drawn = BytesIO()
    segno.make(content, error="m", micro=False).save(drawn, kind="png", scale=7, border=4)
    code = Image.open(drawn).convert("L").rotate(8, expand=True, fillcolor=200)
    scene = Image.new("L", (WIDTH, HEIGHT), 120)
    code.thumbnail((330, 330))
    scene.paste(code, ((WIDTH - code.width) // 2, (HEIGHT - code.height) // 2))
    return scene


def film(path: Path, content: str) -> Path:
    """The fake camera's stream, which the browser plays over and over."""
    blank, scene = Image.new("L", (WIDTH, HEIGHT), 120), grey(content)
    colourless = bytes([128]) * (WIDTH * HEIGHT // 2)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F30:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(FRAMES):
            frame = blank if number < BLANK_FRAMES else scene
            file.write(b"FRAME\n" + frame.tobytes() + colourless)
    return path


@contextmanager
def with_camera(browser: Browser, wallet: Wallet, *options: str) -> Iterator[Visitor]:
    """Somebody whose browser has a camera, or none."""
    chromium = launch_kind(browser.browser_type, options)
    somebody = Visitor(chromium, wallet.url)
    try:
        yield somebody
    finally:
        chromium.close()


@pytest.fixture
def order(wallet: Wallet, visitor: Callable[..., Visitor], other_phone: str) -> str:
    """The path of an order that a shop has just opened."""
    shop = visitor()
    steps.sign_up(shop, wallet, other_phone, "掌柜")
    steps.open_shop(shop, "易茶铺")
    return f"/{steps.charge(shop, '23.00')}"


def test_the_camera_reads_the_code_and_leads_to_the_order(
    wallet: Wallet, browser: Browser, order: str, phone: str, tmp_path: Path
) -> None:
    stream = film(tmp_path / "till.y4m", f"{wallet.url}{order}".upper())
    camera = (*CAMERA, f"--use-file-for-fake-video-capture={stream}")
    with with_camera(browser, wallet, *camera) as consumer:
        page = consumer.page
        steps.sign_up(consumer, wallet, phone, "小易")
        page.goto("/scan")
        section = page.locator("[data-scan]")
        expect(section).to_have_attribute("data-scan", "idle")
        assert page.evaluate("document.querySelector('video').srcObject") is None
        wasm: list[str] = []
        page.on("response", lambda r: wasm.append(r.url) if r.url.endswith(".wasm") else None)
        page.locator("[data-scan-start]").click()
        expect(section).to_have_attribute("data-scan", "reading", timeout=CODE_READ_MS)
        expect(page.locator("[data-scan-state]")).to_have_text("将二维码放入框内，即可自动扫描")
        steps.shot(page, "scan-reading")
        page.wait_for_url(f"**{order}", timeout=CODE_READ_MS)
        expect(page.locator("main")).to_contain_text("易茶铺")
        expect(page.locator("main")).to_contain_text("23.00")
        native = page.evaluate("'BarcodeDetector' in window")
        assert native or wasm, "neither reader was there"
        assert all(url.startswith(f"{wallet.url}/static/") for url in wasm)
        assert consumer.errors == []


def test_the_till_s_camera_reads_a_payment_code(
    wallet: Wallet,
    browser: Browser,
    visitor: Callable[..., Visitor],
    phone: str,
    other_phone: str,
    tmp_path: Path,
) -> None:
    stream = film(tmp_path / "customer.y4m", "x")
    with with_camera(
        browser, wallet, *CAMERA, f"--use-file-for-fake-video-capture={stream}"
    ) as shop:
        steps.sign_up(shop, wallet, other_phone, "掌柜")
        steps.open_shop(shop, "易茶铺")
        customer = visitor()
        steps.sign_up(customer, wallet, phone, "小易")
        steps.bind_card(customer, wallet)
        steps.top_up(customer, "100")
        film(stream, steps.payment_code(customer))  # read when the camera starts
        steps.open_till(shop, "23.00")
        shop.page.locator("[data-camera]").click()
        section = shop.page.locator("[data-scan]")
        expect(section).to_have_attribute("data-scan", "reading", timeout=CODE_READ_MS)
        steps.shot(shop.page, "till-camera")
        expect(shop.page.locator("[data-state=paid]")).to_be_visible(timeout=CODE_READ_MS)
        expect(shop.page.locator("#till-camera")).to_be_hidden()
        assert shop.page.evaluate("document.querySelector('video').srcObject") is None
        assert shop.errors == []


def test_the_camera_closes_when_asked_and_when_hidden(
    wallet: Wallet, browser: Browser, phone: str, tmp_path: Path
) -> None:
    stream = film(tmp_path / "nothing.y4m", "x")
    stream.write_bytes(stream.read_bytes()[: BLANK_FRAMES * (WIDTH * HEIGHT * 3 // 2 + 6) + 60])
    camera = (*CAMERA, f"--use-file-for-fake-video-capture={stream}")
    with with_camera(browser, wallet, *camera) as consumer:
        page = consumer.page
        steps.sign_up(consumer, wallet, phone, "小易")
        page.goto("/scan")
        section = page.locator("[data-scan]")
        for _ in range(2):
            page.locator("[data-scan-start]").click()
            expect(section).to_have_attribute("data-scan", "reading", timeout=CODE_READ_MS)
            page.evaluate("window.track = document.querySelector('video').srcObject.getTracks()[0]")
            page.locator("[data-scan-stop]").click()
            expect(section).to_have_attribute("data-scan", "idle")
            assert page.evaluate("track.readyState") == "ended"
        page.locator("[data-scan-start]").click()
        expect(section).to_have_attribute("data-scan", "reading", timeout=CODE_READ_MS)
        page.evaluate(
            "window.track = document.querySelector('video').srcObject.getTracks()[0];"
            "Object.defineProperty(document, 'hidden', {value: true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        expect(section).to_have_attribute("data-scan", "idle")
        assert page.evaluate("track.readyState") == "ended"
        assert consumer.errors == []


def test_a_foreign_code_before_the_camera_is_explained(
    wallet: Wallet, browser: Browser, phone: str, tmp_path: Path
) -> None:
    stream = film(tmp_path / "foreign.y4m", "https://qr.alipay.com/fkx0123456789")
    camera = (*CAMERA, f"--use-file-for-fake-video-capture={stream}")
    asked: list[str] = []
    with with_camera(browser, wallet, *camera) as consumer:
        page = consumer.page
        page.on("request", lambda request: asked.append(request.url))
        steps.sign_up(consumer, wallet, phone, "小易")
        page.goto("/scan")
        page.locator("[data-scan-start]").click()
        expect(page.locator("[data-kind=wallet]")).to_be_visible(timeout=CODE_READ_MS)
        expect(page.locator("main")).to_contain_text("这是支付宝的码")
        steps.shot(page, "scan-foreign")
        assert not [url for url in asked if "alipay" in url]


def test_without_a_camera_every_other_way_is_left(
    wallet: Wallet, browser: Browser, order: str, phone: str, tmp_path: Path
) -> None:
    with with_camera(browser, wallet, *BLOCKED) as consumer:
        page = consumer.page
        steps.sign_up(consumer, wallet, phone, "小易")
        page.goto("/scan")
        page.locator("[data-scan-start]").click()
        section = page.locator("[data-scan]")
        expect(section).to_have_attribute("data-scan", "none")
        expect(page.locator("[data-scan-state]")).to_contain_text("没有找到相机")
        steps.shot(page, "scan-none")
        picture = tmp_path / "album.png"
        grey(f"{wallet.url}{order}".upper()).save(picture)
        page.locator("#f-photo").set_input_files(picture)
        page.wait_for_url(f"**{order}")
        page.goto("/scan")
        page.locator("#f-text").fill(order.removeprefix("/o/").upper())
        page.locator("#f-text").press("Enter")
        page.wait_for_url(f"**{order}")


def test_a_refused_camera_says_what_to_do(
    wallet: Wallet, browser: Browser, phone: str, tmp_path: Path
) -> None:
    options = (CAMERA[0], *BLOCKED)
    with with_camera(browser, wallet, *options) as consumer:
        page = consumer.page
        steps.sign_up(consumer, wallet, phone, "小易")
        page.goto("/scan")
        page.locator("[data-scan-start]").click()
        expect(page.locator("[data-scan]")).to_have_attribute("data-scan", "denied")
        expect(page.locator("[data-scan-state]")).to_contain_text("相机被禁止使用")
        expect(page.locator("[data-scan-start]")).to_be_visible()
        steps.shot(page, "scan-denied")


def test_a_picture_is_read_without_javascript(
    wallet: Wallet, visitor: Callable[..., Visitor], order: str, phone: str, tmp_path: Path
) -> None:
    consumer, plain = visitor(), visitor(java_script_enabled=False)
    steps.sign_up(consumer, wallet, phone, "小易")
    plain.context.add_cookies(consumer.context.cookies())  # type: ignore[arg-type]
    page = plain.page
    page.goto("/scan")
    expect(page.locator("[data-scan]")).to_be_hidden()
    picture = tmp_path / "album.jpg"
    grey(f"{wallet.url}{order}".upper()).save(picture)
    page.locator("#f-photo").set_input_files(picture)
    page.locator("form[action='/scan/photo'] button").click()
    expect(page.locator("main")).to_contain_text("易茶铺")
    page.goto("/scan")
    noise = tmp_path / "noise.png"
    Image.frombytes("L", (200, 200), secrets.token_bytes(40_000)).save(noise)
    assert os.path.getsize(noise) > 1000
    page.locator("#f-photo").set_input_files(noise)
    page.locator("form[action='/scan/photo'] button").click()
    expect(page.locator("[data-kind=no_code]")).to_be_visible()
