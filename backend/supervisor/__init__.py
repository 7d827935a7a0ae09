"""`yipay up`: starts both systems on one machine, restarts what dies, stops what it started."""

from backend.supervisor.errors import UpError
from backend.supervisor.home import URLS, Home, completed, find
from backend.supervisor.plan import KNOWS
from backend.supervisor.run import up

__all__ = ["KNOWS", "URLS", "Home", "UpError", "completed", "find", "up"]
