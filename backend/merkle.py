"""RFC 6962 Merkle trees over SHA-256: leaf = H(0x00 ‖ data), node = H(0x01 ‖ left ‖ right)."""

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def tree(leaves: Sequence[bytes]) -> tuple[bytes, list[tuple[bytes, ...]]]:
    """Root of a non-empty list of leaf hashes, and the path of each leaf to it."""
    paths: list[list[bytes]] = [[] for _ in leaves]
    level = [(h, range(i, i + 1)) for i, h in enumerate(leaves)]
    while len(level) > 1:
        above = []
        for left, right in zip(level[::2], level[1::2], strict=False):
            for i in left[1]:
                paths[i].append(right[0])
            for i in right[1]:
                paths[i].append(left[0])
            above.append((node_hash(left[0], right[0]), range(left[1].start, right[1].stop)))
        if len(level) % 2:  # an odd last node rises as it is
            above.append(level[-1])
        level = above
    return level[0][0], [tuple(p) for p in paths]


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root this inclusion path leads to (RFC 9162 §2.1.3.2), or None if it is malformed."""
    if not 0 <= index < size or len(leaf) != HASH_BYTES:
        return None
    # One loop without calls: every verdict of a busy ledger passes here.
    node, at, last = leaf, index, size - 1
    for sibling in path:
        if last == 0 or len(sibling) != HASH_BYTES:
            return None
        if at & 1 or at == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        at, last = at >> 1, last >> 1
    return node if last == 0 else None


def steps_of(index: int, size: int, path: Sequence[bytes]) -> tuple[tuple[bool, bytes], ...]:
    """The same path told plainly: per step whether the sibling stands on the left, and its hash.
    Unlike an index and a size, of which several may lead to one root, it can be told one way only.
    """
    steps, at, last = [], index, size - 1
    for sibling in path:
        left = bool(at & 1) or at == last
        steps.append((left, sibling))
        while left and not at & 1 and at:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    return tuple(steps)


def root_from_steps(leaf: bytes, steps: Sequence[tuple[bool, bytes]]) -> bytes:
    node = leaf
    for left, sibling in steps:
        node = node_hash(sibling, node) if left else node_hash(node, sibling)
    return node
