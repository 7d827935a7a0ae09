"""`yipay up`: starts both systems on one machine, restarts what dies, stops what it started.

`run.up` is the way in. Nothing is imported here: every part finds its own data through `home`, and
must not carry the supervisor's code.
"""
