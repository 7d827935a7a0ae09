"""Short codes of terminals: 8 digits that a person types where a camera can't help. The last one
is a Luhn check digit, so that one wrong digit leads nowhere instead of to another shop."""

import secrets

DIGITS = 8


def new() -> str:
    payload = f"{secrets.randbelow(10 ** (DIGITS - 1)):0{DIGITS - 1}}"
    return payload + check_digit(payload)


def is_short_code(text: str) -> bool:
    well_formed = len(text) == DIGITS and text.isascii() and text.isdigit()
    return well_formed and check_digit(text[:-1]) == text[-1]


def check_digit(payload: str) -> str:
    """Luhn's."""
    total = 0
    for place, digit in enumerate(reversed(payload)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)
