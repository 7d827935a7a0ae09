"""The demo: a ready-made consumer and a shop with a week of history, entered with one tap.

Everything goes the real way: cards are bound at the sandbox bank, money comes on its signed word,
payments get verdicts and postings. Only the time at which they happened is told earlier. Nothing
here is imported or mounted outside demo mode.
"""

from backend.demo.big import seed_big
from backend.demo.entrance import Entered, demo_sign_in
from backend.demo.people import ROLES
from backend.demo.seeding import seed

__all__ = ["ROLES", "Entered", "demo_sign_in", "seed", "seed_big"]
