"""A verdict is leave for exactly one posting; what is signed has one form only."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend import merkle, verdict
from backend.canonical import canonical
from backend.posting import Posting, Transfer, posting_hash
from backend.verdict import SignedVerdict, Verdict, fault

VECTORS = Path(__file__).parents[2] / "shared" / "vectors" / "wycheproof" / "ed25519_test.json"
POSTING = Posting("pay_1", "pay", (Transfer("person:a", "shop:b", 2300),))
NOW_MS = int(time.time() * 1000)


def signed(key: Ed25519PrivateKey, postings: list[Posting], life_ms: int = 60_000) -> Any:
    """Verdicts decided together, under one signature."""
    made = [
        Verdict(f"v{n}", bytes(32), posting_hash(p), "allow", "C", 1, NOW_MS, NOW_MS + life_ms)
        for n, p in enumerate(postings)
    ]
    root, paths = merkle.tree([verdict.leaf(v) for v in made])
    signature = key.sign(verdict.root_message(root))
    return [
        SignedVerdict(v, n, len(made), path, "k", signature)
        for n, (v, path) in enumerate(zip(made, paths, strict=True))
    ]


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def keys(key: Ed25519PrivateKey) -> dict[str, bytes]:
    return {"k": key.public_key().public_bytes_raw()}


def test_each_verdict_of_a_batch_is_good_for_its_own_posting_only(key: Ed25519PrivateKey) -> None:
    postings = [msgspec.structs.replace(POSTING, posting_id=f"pay_{n}") for n in range(5)]
    for mine, given in zip(postings, signed(key, postings), strict=True):
        for posting in postings:
            found = fault(given, posting, keys(key), NOW_MS)
            assert found == ("" if posting is mine else "posting")


def test_every_change_is_found(key: Ed25519PrivateKey) -> None:
    [given] = signed(key, [POSTING])
    replace = msgspec.structs.replace
    assert fault(given, POSTING, {}) == "key"
    assert fault(given, POSTING, keys(Ed25519PrivateKey.generate())) == "signature"
    assert fault(replace(given, signature=bytes(64)), POSTING, keys(key)) == "signature"
    for field, value in (("decision", "deny"), ("level", "A"), ("expires_at_ms", NOW_MS * 2)):
        changed = replace(given.verdict, **{field: value})
        assert fault(replace(given, verdict=changed), POSTING, keys(key)) == "signature"
    dearer = replace(POSTING, transfers=(replace(POSTING.transfers[0], amount_fen=2301),))
    assert fault(given, dearer, keys(key)) == "posting"
    assert fault(given, POSTING, keys(key), NOW_MS + 60_000) == "expired"
    assert fault(given, POSTING, keys(key), NOW_MS + 59_999) == ""


def test_canonical_bytes_never_change() -> None:
    """What was signed years ago must verify: this is their form, byte for byte."""
    assert canonical("posting/v1", POSTING) == (
        b"yipay/posting/v1\n\x95\xa5pay_1\xa3pay\x91\x96\xa8person:a\xa6shop:b\xcd\x08\xfc"
        b"\xa4move\xa0\x00\x00\xa3CNY"
    )


@pytest.mark.skipif(not VECTORS.exists(), reason="the public test vectors are not here")
def test_signatures_of_others_are_judged_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "root_message", lambda root: root)  # theirs have no prefix
    seen = 0
    for group in json.loads(VECTORS.read_text())["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            good = verdict._signed(public, message, signature)
            assert good is (case["result"] == "valid"), case["tcId"]
            seen += 1
    assert seen == 76
