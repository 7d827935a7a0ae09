"""Posters of a terminal: who may have them, which forms there are, what is in the file."""

import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp

from backend import ids
from backend.codes import addresses, classify
from backend.merchant import Terminal
from backend.shop_roles import Role
from tests.web.pages.conftest import Enter, Till


async def terminal_of(till: Till) -> Terminal:
    [first] = await till.world.services.merchant.terminals(await till.world.seat(till.shop))
    return first


async def path_of(till: Till) -> str:
    return f"/shop/terminals/{(await terminal_of(till)).terminal_id}/poster"


@pytest.mark.parametrize("form", ["address", "emv"])
async def test_a_printed_code_leads_to_its_terminal(till: Till, form: str) -> None:
    terminal, origin = await terminal_of(till), till.world.settings.public_origin
    answer = await till.owner.see(f"{await path_of(till)}.pdf?size=a6&form={form}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    name = f'attachment; filename="yipay-{terminal.short_code}-a6.pdf"'
    assert answer.headers["content-disposition"] == name
    image = pypdfium2.PdfDocument(answer.content)[0].render(scale=2).to_pil().convert("L")
    [code] = zxingcpp.read_barcodes(image)
    assert code.text.startswith("000201") is (form == "emv")
    scanned = classify.read(code.text, origin)
    assert (scanned.kind, scanned.ref) == ("static", terminal.code_id)
    payer = await till.world.services.merchant.static_code(scanned.ref)
    assert payer.shop_name == till.shop.name
    assert addresses.path_of(payer.code_id).startswith("/p/")


async def test_a_drawing_loads_and_runs_nothing(till: Till) -> None:
    answer = await till.owner.see(f"{await path_of(till)}.svg?size=tent")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("<svg")


async def test_the_page_offers_sizes_and_forms(till: Till) -> None:
    path = await path_of(till)
    page = await till.owner.see(f"{path}?size=a4&form=emv")
    for wanted in (f"{path}.pdf?size=a4&amp;form=emv", f"{path}.svg?size=a4&amp;form=emv"):
        assert f'"{wanted}"' in page.text
    assert page.text.count(" checked") == 2
    part = await till.owner.part(path)
    assert "<html" not in part.text


@pytest.mark.parametrize("query", ["size=a5", "form=nfc", "size=", "size=../a6"])
@pytest.mark.parametrize("ending", ["", ".svg", ".pdf"])
async def test_no_other_sizes_and_forms(till: Till, query: str, ending: str) -> None:
    assert (await till.owner.see(f"{await path_of(till)}{ending}?{query}")).status_code == 400


async def test_terminals_of_others_do_not_exist(till: Till, enter: Enter) -> None:
    path, other = await path_of(till), await enter(name="小李")
    assert (await other.see(path)).url.path != path  # no shop
    await till.world.shop(other.wallet, "李记")
    for ending in ("", ".svg", ".pdf"):
        assert (await other.see(f"{path}{ending}")).status_code == 404
        nowhere = path.replace((await terminal_of(till)).terminal_id, ids.new("trm"))
        assert (await till.owner.see(f"{nowhere}{ending}")).status_code == 404


@pytest.mark.parametrize(("role", "status"), [(Role.CASHIER, 403), (Role.MANAGER, 200)])
async def test_posters_are_for_who_manages_stores(
    till: Till, enter: Enter, role: Role, status: int
) -> None:
    path, member = await path_of(till), await enter()
    await till.world.hire(till.owner.wallet, member.wallet, role)
    for ending in ("", ".svg", ".pdf"):
        assert (await member.see(f"{path}{ending}")).status_code == status
