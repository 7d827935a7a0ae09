"""What was signed, given out again: for receipts."""

from backend.db import SEC
from backend.errors import NotFound


async def intent(intent_id: str) -> bytes:
    """Refuses: NotFound."""
    rows = await SEC.query("select content from risk.intent where intent_id = $1", intent_id)
    if not rows:
        raise NotFound()
    content: bytes = rows[0]["content"]
    return content
