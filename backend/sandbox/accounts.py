"""The sandbox bank's accounts of cards, and how it signs. Plain SQLite.

The bank never keeps a card number: an account is found by a keyed hash of it.
"""

import hmac
import secrets
import sqlite3

import msgspec

from backend.keys import Signer

START_BALANCE_FEN = 10_000_000  # what a card account opens with: 100,000 yuan

Db = sqlite3.Connection


class BankRefusal(Exception):
    """Why the bank does not do it: a word, and the tries left where it counts them."""

    def __init__(self, reason: str, tries_left: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.tries_left = reason, tries_left


class Word(msgspec.Struct, frozen=True, array_like=True):
    """A signed statement on the wire: a JSON array of base64 message, key id, base64 signature."""

    message: bytes
    key_id: str
    signature: bytes


def sign(message: bytes, signer: Signer) -> bytes:
    """A word, as it goes over the wire."""
    return msgspec.json.encode(Word(message, signer.key_id, signer.sign(message)))


def account_of(db: Db, number: str) -> str:
    """Opens the card's account when it is seen first."""
    secret = db.execute("select key from secret").fetchone()
    if secret is None:
        db.execute("insert into secret values (?)", (secrets.token_bytes(32),))
        secret = db.execute("select key from secret").fetchone()
    account = hmac.new(secret[0], number.encode(), "sha256").hexdigest()
    db.execute("insert or ignore into account values (?, ?)", (account, START_BALANCE_FEN))
    return account


def change(db: Db, account: str, amount_fen: int) -> bool:
    """False if the account has not that much."""
    changed = db.execute(
        "update account set balance_fen = balance_fen + ?1 "
        "where account = ?2 and balance_fen + ?1 >= 0",
        (amount_fen, account),
    )
    return changed.rowcount == 1


def line(db: Db, account: str, at_ms: int, what: str, amount_fen: int) -> None:
    db.execute(
        "insert into line (account, at_ms, what, amount_fen) values (?, ?, ?, ?)",
        (account, at_ms, what, amount_fen),
    )
