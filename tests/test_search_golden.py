"""Searches with known results: trees of mctx 0.0.71 over models that are tables of numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from muzero import search

DATA = np.load(Path(__file__).parent / "data" / "search_cases.npz")
CASES = json.loads(str(DATA["cases"]))
ROWS = 61


class Table:
    """A model that is a table: a state is a number, and its row says everything."""

    def __init__(self, case: int) -> None:
        names = ("logits", "value", "reward", "discount", "root_state", "invalid")
        self.logits, self.value, self.reward, self.discount, self.roots, self.invalid = (
            DATA[f"{case}/{name}"] for name in names
        )
        self.states = {(b, 0): int(root) for b, root in enumerate(self.roots)}

    def expand(self, parent, action, node):
        rows = np.empty(len(parent), np.int64)
        for b, (p, a, n) in enumerate(zip(parent, action, node, strict=True)):
            state = (self.states[b, int(p)] * 1664525 + int(a) * 1013904223 + 12345) % 2**32
            self.states[b, int(n)] = state
            rows[b] = (state >> 8) % ROWS
        return self.reward[rows], self.discount[rows], self.value[rows], self.logits[rows]


def run(index):
    case, table = CASES[index], Table(index)
    root_rows = (table.roots >> 8) % ROWS
    common = {
        "prior_logits": table.logits[root_rows],
        "value": table.value[root_rows],
        "expand": table.expand,
        "simulations": case["simulations"],
        "legal": table.invalid == 0 if case["masked"] else None,
        "max_depth": case["max_depth"] or None,
    }
    if case["rule"] == "puct":
        normalize = "siblings" if case["q"] == "siblings" else (case["q_min"], case["q_max"])
        return search.puct(**common, c_init=case["c_init"], c_base=case["c_base"], normalize=normalize)
    names = ("considered", "value_scale", "visit_offset", "rescale")
    return search.gumbel(**common, noise=DATA[f"{index}/gumbel"], **{name: case[name] for name in names})


@pytest.mark.parametrize("index", [k for k, case in enumerate(CASES) if case["rule"] != "stochastic"])
def test_search_equals_mctx(index):
    result = run(index)
    want = {name: DATA[f"{index}/want_{name}"] for name in ("visits", "action", "weights", "root_value", "qvalues")}
    np.testing.assert_array_equal(result.visits, want["visits"])
    top = want["visits"] == want["visits"].max(axis=1, keepdims=True)
    decided = top.sum(axis=1) == 1 if CASES[index]["rule"] == "puct" else np.ones(len(top), bool)
    np.testing.assert_array_equal(result.action[decided], want["action"][decided])
    np.testing.assert_allclose(result.policy, want["weights"], atol=1e-4)
    np.testing.assert_allclose(result.value, want["root_value"], atol=1e-4)
    visited = want["visits"] > 0
    np.testing.assert_allclose(result.q[visited], want["qvalues"][visited], atol=1e-4)
