"""CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF, no reflection, no final xor."""

import binascii

START = 0xFFFF


def crc16(data: bytes) -> int:
    """0 … 0xFFFF; of b"123456789" it is 0x29B1."""
    return binascii.crc_hqx(data, START)
