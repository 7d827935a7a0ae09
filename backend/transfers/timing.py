"""How long things of delayed transfers take."""

from datetime import timedelta

INTENT_LIFE = timedelta(hours=1)  # of a recall or an arrival that is tried
REFUSED_RETRY = timedelta(minutes=5)  # until an arrival that was refused is tried again
