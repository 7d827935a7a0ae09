"""The course of a transfer as steps; drawn by `_timeline.html`."""

from backend.transfers import Transfer
from backend.wallet.timeline import BAD, NOW, Step


def of_transfer(transfer: Transfer) -> tuple[Step, ...]:
    """From the beginning to its end, or to when that will be."""
    begun = Step(kind="begun", at=transfer.created_at)
    if transfer.status in ("refused", "lapsed"):
        return (begun, Step(kind=transfer.status, state=BAD, at=transfer.ended_at))
    if transfer.arrives_at is None:
        if transfer.status == "created":
            return (begun, Step(kind="under_way", state=NOW))
        return (begun, Step(kind="arrived", at=transfer.ended_at))
    steps = (begun, Step(kind="on_its_way", at=None))
    if transfer.status == "created":
        return (begun, Step(kind="under_way", state=NOW))
    if transfer.status == "waiting":
        return (*steps, Step(kind="will_arrive", state=NOW, at=transfer.arrives_at))
    return (*steps, Step(kind=transfer.status, at=transfer.ended_at))
