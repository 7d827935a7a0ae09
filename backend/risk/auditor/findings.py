"""What the auditor finds wrong."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """kind: a machine word, the alarm's. detail: ids only. accounts: to be frozen.

    every_account: the change was of whole tables, so all accounts known are to be frozen.
    """

    kind: str
    detail: str
    accounts: frozenset[str] = frozenset()
    every_account: bool = False


MAX_DETAILS = 20


def together(findings: list[Finding]) -> Finding | None:
    """One finding of many: one alarm, however much was wrong. The first one's kind."""
    if not findings:
        return None
    details = list(dict.fromkeys(f"{f.kind}: {f.detail}" for f in findings))
    more = len(details) - MAX_DETAILS
    text = "; ".join(details[:MAX_DETAILS]) + (f"; and {more} more" if more > 0 else "")
    accounts = frozenset[str]().union(*(f.accounts for f in findings))
    return Finding(findings[0].kind, text, accounts, any(f.every_account for f in findings))
