"""RFC 6962 trees: against the public vectors, and every path of many sizes against its own tree."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from backend import merkle

VECTORS = Path(__file__).parents[2] / "shared" / "vectors" / "merkle"
vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the public test vectors are not here")


def read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


@vectors
def test_inclusion_proofs_of_others_are_judged_as_they_say() -> None:
    found = read("inclusion.json")
    cases = found if isinstance(found, list) else next(v for v in found.values() if type(v) is list)
    accepted = 0
    for case in cases:
        leaf, root = (base64.b64decode(case[k] or "") for k in ("leafHash", "root"))
        path = [base64.b64decode(h) for h in case["proof"] or []]
        led_to = merkle.root_from_path(leaf, case["leafIdx"], case["treeSize"], path)
        assert (led_to is not None and led_to == root) is not case["wantErr"], case
        accepted += not case["wantErr"]
    assert accepted == 3


@vectors
def test_the_reference_tree_has_the_published_roots() -> None:
    reference = read("reference_tree.json")
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in reference["leaf_inputs"]]
    sized = {r["tree_size"]: r["root"] for r in reference["roots"] if r["tree_size"]}
    assert sized
    for size, root in sized.items():
        assert merkle.tree(leaves[:size])[0].hex() == root


@pytest.mark.parametrize("size", [*range(1, 40), 64, 65, 100])
def test_every_path_leads_to_the_root_and_no_other_leaf_takes_it(size: int) -> None:
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    root, paths = merkle.tree(leaves)
    for index, (leaf, path) in enumerate(zip(leaves, paths, strict=True)):
        assert merkle.root_from_path(leaf, index, size, path) == root
        assert merkle.root_from_path(merkle.leaf_hash(b"other"), index, size, path) != root
        assert merkle.root_from_path(leaf, index, size, (*path, root)) is None
        assert merkle.root_from_path(leaf, index + size, size, path) is None
    assert merkle.root_from_path(leaves[0][:31], 0, size, paths[0]) is None


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 11, 16, 33])
def test_a_path_told_by_sides_leads_to_the_same_root(size: int) -> None:
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    root, paths = merkle.tree(leaves)
    for index, path in enumerate(paths):
        steps = merkle.steps_of(index, size, path)
        assert merkle.root_from_steps(leaves[index], steps) == root
        for n, (left, sibling) in enumerate(steps):
            turned = (*steps[:n], (not left, sibling), *steps[n + 1 :])
            assert merkle.root_from_steps(leaves[index], turned) != root
