"""A cursor survives any place and no tampering."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.bills import cursor
from backend.errors import BadRequest

moments = st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year >= 1970)
bill_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)


@given(moments, bill_ids)
def test_it_leads_back_to_its_place(event_at: datetime, bill_id: str) -> None:
    text = cursor.encode("usr_anna", event_at, bill_id)
    assert cursor.decode("usr_anna", text) == (event_at, bill_id)
    with pytest.raises(BadRequest):
        cursor.decode("usr_boris", text)


@given(st.text(max_size=300))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        cursor.decode("usr_anna", text)


@given(st.data())
def test_altered_cursors_never_fail_otherwise(data: st.DataObject) -> None:
    text = cursor.encode("usr_anna", datetime(2026, 11, 22, tzinfo=UTC), "pay_1")
    at = data.draw(st.integers(0, len(text) - 1))
    altered = text[:at] + data.draw(st.characters()) + text[at + 1 :]
    try:
        event_at, bill_id = cursor.decode("usr_anna", altered)
    except BadRequest:
        return
    # Another place in one's own bills is nothing to protect.
    assert event_at.tzinfo is UTC
    assert bill_id.isascii()
