"""Bytes in tokens: base64url without padding."""

from base64 import urlsafe_b64encode


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
