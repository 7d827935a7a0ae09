"""A module's Protocol over HTTP: msgpack bodies on a Unix socket or mutual TLS.

Calls that arrive while others are under way travel together in the next request, so a busy caller
pays one round trip for many calls. Answers travel as they are ready, so a slow call holds up no
other. Refusals travel as codes and are raised again on this side. Every call must be idempotent:
one that met a broken connection is sent once more.
"""

from backend.rpc.client import Client, connect
from backend.rpc.server import application, serve

__all__ = ["Client", "application", "connect", "serve"]
