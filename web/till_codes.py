"""What a scanner at the till has read: a payment code of ours, or why it is none."""

import unicodedata

from backend.codes import classify
from backend.settings import Settings
from web.forms import Form
from web.i18n import msg

FIELD = "pay_code"

# What else people hold before a till's scanner, each with what to say.
OTHERS = {
    "wallet": msg("That is another wallet's payment code. Ask the customer to open YiPay."),
    "static": msg("That is a shop's own code: customers scan it. Scan their payment code."),
    "order": msg("That is an order's code: customers scan it. Scan their payment code."),
    "personal": msg("That code receives money. Ask the customer for their payment code."),
    "card": msg("That is a card's number, not a payment code."),
}
UNKNOWN = msg("That is no payment code of YiPay: it has 18 digits and begins with 88.")


def payment_code(form: Form, settings: Settings) -> str:
    """18 digits, or "" where none was read; a foreign code becomes the field's error. The form
    forgets what was read in any case."""
    text = unicodedata.normalize("NFKC", "".join(form.values.pop(FIELD, "").split()))
    if not text:
        return ""
    found = classify.read(text, settings.public_origin)
    if found.kind == "pay_code":
        return text.replace("-", "")
    form.refuse(FIELD, OTHERS.get(found.kind, UNKNOWN))
    return ""
