"""The sandbox bank and the sandbox SMS: services of their own that stand in for the outside world.

Nothing of the product imports them: it reaches them over HTTP like the real ones. They keep their
own SQLite files, and misbehave on purpose for the cards and numbers listed on their pages.
"""
