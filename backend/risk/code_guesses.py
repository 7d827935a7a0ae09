"""Wrong payment codes, counted by the terminal that read them, by who charged and by the shop."""

from datetime import datetime, timedelta

import msgspec

from backend.db import SEC
from backend.risk import TooManyGuesses

MAX_WRONG_CODES = 20  # of a terminal, and of a person
MAX_WRONG_CODES_OF_SHOP = 200  # of all its tills
WRONG_CODE_WINDOW = timedelta(minutes=10)


class Guesser(msgspec.Struct, frozen=True):
    terminal_id: str
    actor_id: str
    shop_id: str

    @property
    def limits(self) -> dict[str, int]:
        """By what is counted. A shop without terminals has one that is called like itself."""
        return {
            self.terminal_id: MAX_WRONG_CODES,
            self.actor_id: MAX_WRONG_CODES,
            f"shop:{self.shop_id}": MAX_WRONG_CODES_OF_SHOP,
        }


async def lock(guesser: Guesser) -> None:
    """One reading of a terminal, and of a person, after the other: many at once must not outrun the
    count. A whole shop does not wait for itself: it has only so many people."""
    for counted in sorted({guesser.terminal_id, guesser.actor_id}):
        await SEC.query("select pg_advisory_xact_lock(5, hashtext($1))", counted)


async def refuse_too_many(guesser: Guesser, now: datetime) -> None:
    """Refuses: TooManyGuesses."""
    for counted, most in guesser.limits.items():
        rows = await SEC.query(
            "select guessed_at from risk.code_guess where terminal_id = $1 and guessed_at > $2 "
            "order by guessed_at desc offset $3 limit 1",
            counted,
            now - WRONG_CODE_WINDOW,
            most - 1,
        )
        if rows:
            left = rows[0]["guessed_at"] + WRONG_CODE_WINDOW - now
            raise TooManyGuesses(seconds=-(-left // timedelta(seconds=1)))


async def record(guesser: Guesser, now: datetime) -> None:
    await SEC.query(
        "insert into risk.code_guess select unnest($1::text[]), $2", list(guesser.limits), now
    )
