"""Bills to take along: the list as a file for spreadsheets, the record of one as PDF, and the
receipt that the security system signed."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from backend.clock import Clock
from backend.errors import BadRequest
from backend.identity import Person
from backend.receipt import encode
from backend.services import Services
from backend.settings import Settings
from backend.wallet.bill_file import NAME, bill_file
from backend.wallet.receipts import published_keys, receipt_of
from backend.wallet.record import record_of
from web.bill_filter import asked
from web.http import WebRequest
from web.i18n import texts
from web.session import Visit, visit_of


@get("/bills.csv")
async def as_csv(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Stream:
    """All that the address asks for."""
    wanted = asked(request.query_params, person.person_id)
    if wanted.errors:
        raise BadRequest()  # not a file of more than was meant
    language = texts(visit_of(request).language)
    return Stream(
        bill_file(services, wanted.wanted, language),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{NAME}"'},
    )


@get("/bills/{bill_id:str}/receipt.pdf")
async def as_pdf(
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    bill_id: FromPath[str],
) -> Response[bytes]:
    """Of what the books say was done. Refuses: NotFound (also while it is under way)."""
    body = await record_of(services, person, bill_id, texts(visit.language), clock.now())
    headers = {"Content-Disposition": f'attachment; filename="yipay-{bill_id}.pdf"'}
    return Response(body, media_type="application/pdf", headers=headers)


@get("/bills/{bill_id:str}/receipt.json")
async def as_signed(
    person: NamedDependency[Person], services: NamedDependency[Services], bill_id: FromPath[str]
) -> Response[bytes]:
    """For `yipay verify receipt`. Refuses: NotFound (also while it is under way)."""
    receipt = await receipt_of(services, person.person_id, bill_id)
    headers = {"Content-Disposition": f'attachment; filename="yipay-{receipt.id}.json"'}
    return Response(encode(receipt), media_type="application/json", headers=headers)


@get("/receipt-keys.json")
async def receipt_keys(settings: NamedDependency[Settings]) -> Response[bytes]:
    """What receipts verify with, for everybody: public keys by key id."""
    found = msgspec.json.encode(published_keys(settings))
    headers = {"Content-Disposition": 'attachment; filename="yipay-receipt-keys.json"'}
    return Response(found, media_type="application/json", headers=headers)


handlers = [as_csv, as_pdf, as_signed, receipt_keys]
