"""A thousand people at once: registered in bulk, with what signing up would have left of them."""

import secrets
from datetime import datetime, timedelta

from backend.db import SEC, TX
from backend.ids import new
from backend.ledger import Ledger, NewAccount
from backend.risk.secret import hash_of, new_secret
from tests.passkey import Passkey
from tests.world import Wallet


async def crowd(count: int, ledger: Ledger, now: datetime) -> list[Wallet]:
    """People with live devices and empty wallets, who came yesterday."""
    made, nobodys = now - timedelta(days=1), Passkey()
    people = [new("usr") for _ in range(count)]
    devices = [new_secret() for _ in people]
    await SEC.query(
        "insert into risk.person (person_id, phone, user_handle, created_at)"
        " select id, '+86139' || lpad(n::text, 8, '0'), handle, $3 from"
        " unnest($1::text[], $2::bytea[]) with ordinality as given(id, handle, n)",
        people,
        [secrets.token_bytes(32) for _ in people],
        made,
    )
    await SEC.query("insert into risk.opener (person_id) select unnest($1::text[])", people)
    await SEC.query(
        "insert into risk.device (device_id, person_id, secret_hash, label, created_at,"
        " last_used_at, trusted_at) select *, 'test', $4, $4, $4"
        " from unnest($1::text[], $2::text[], $3::bytea[])",
        [new("dev") for _ in people],
        people,
        [hash_of(secret) for secret in devices],
        made,
    )
    await TX.query(
        "insert into identity.person (person_id, phone, display_name, language, demo, created_at)"
        " select id, '+86139' || lpad(n::text, 8, '0'), '第' || n || '人', 'zh-CN', false, $2"
        " from unnest($1::text[]) with ordinality as given(id, n)",
        people,
        made,
    )
    for start in range(0, count, 100):
        await ledger.open_accounts(
            tuple(NewAccount(f"person:{one}") for one in people[start : start + 100])
        )
    return [
        Wallet(
            person_id=person, device_secret=secret, passkey=nobodys, account_id=f"person:{person}"
        )
        for person, secret in zip(people, devices, strict=True)
    ]
