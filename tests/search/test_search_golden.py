"""Searches with known results: trees of mctx 0.0.71 over models that are tables of numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from muzero import _tree, search
from muzero.search.loop import finish

DATA = np.load(Path(__file__).parents[1] / "data" / "search_cases.npz")
CASES = json.loads(str(DATA["cases"]))
ROWS = 61
FIRST_OUTCOME = 1000  # outcome c leads on like the action 1000 + c


class Table:
    """A model that is a table: a state is a number, and its row says everything."""

    def __init__(self, case: int) -> None:
        names = ("logits", "value", "reward", "discount", "root_state", "invalid")
        self.logits, self.value, self.reward, self.discount, self.roots, self.invalid = (
            DATA[f"{case}/{name}"] for name in names
        )
        if CASES[case]["rule"] == "stochastic":
            self.logits = np.concatenate([self.logits, DATA[f"{case}/chance"]], axis=1)
        self.decisions = CASES[case]["A"]
        self.states = {(b, 0): int(root) for b, root in enumerate(self.roots)}

    def expand(self, parent, action, node):
        step = np.where(action < self.decisions, action, action - self.decisions + FIRST_OUTCOME)
        rows = np.empty(len(parent), np.int64)
        for b, (p, a, n) in enumerate(zip(parent, step, node, strict=True)):
            state = (self.states[b, int(p)] * 1664525 + int(a) * 1013904223 + 12345) % 2**32
            self.states[b, int(n)] = state
            rows[b] = (state >> 8) % ROWS
        return self.reward[rows], self.discount[rows], self.value[rows], self.logits[rows]


def run(index, threads=1, path=None):
    case, table = CASES[index], Table(index)
    root_rows = (table.roots >> 8) % ROWS
    common = {
        "prior_logits": np.ascontiguousarray(table.logits[root_rows, : case["A"]]),
        "value": table.value[root_rows],
        "legal": table.invalid == 0 if case["masked"] else None,
        "max_depth": case["max_depth"] or None,
        "threads": threads,
        "path": path,
    }
    if case["rule"] == "gumbel":
        names = ("considered", "value_scale", "visit_offset", "rescale")
        common |= {"noise": DATA[f"{index}/gumbel"], "least_range": 1e-8} | {name: case[name] for name in names}
    else:
        common |= {"c_init": case["c_init"], "c_base": case["c_base"]}
        common["normalize"] = "siblings" if case["q"] == "siblings" else (case["q_min"], case["q_max"])
        common |= {"chance": case["C"]} if case["rule"] == "stochastic" else {}
    trees = getattr(_tree, case["rule"])(**common, simulations=case["simulations"])
    return search.policies.found([finish(trees, table.expand, case["simulations"])])


@pytest.mark.parametrize("path", _tree.paths())
@pytest.mark.parametrize("index", range(len(CASES)))
def test_search_equals_mctx(index, path):
    result = run(index, path=path)
    want = {name: DATA[f"{index}/want_{name}"] for name in ("visits", "action", "weights", "root_value", "qvalues")}
    np.testing.assert_array_equal(result.visits, want["visits"])
    top = want["visits"] == want["visits"].max(axis=1, keepdims=True)
    decided = np.ones(len(top), bool) if CASES[index]["rule"] == "gumbel" else top.sum(axis=1) == 1
    np.testing.assert_array_equal(result.action[decided], want["action"][decided])
    np.testing.assert_allclose(result.policy, want["weights"], atol=1e-4)
    np.testing.assert_allclose(result.value, want["root_value"], atol=1e-4)
    visited = want["visits"] > 0
    np.testing.assert_allclose(result.q[visited], want["qvalues"][visited], atol=1e-4)


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("index", range(len(CASES)))
def test_any_number_of_threads_gives_the_same_bytes(index, threads):
    one, many = run(index), run(index, threads)
    for name in ("action", "policy", "value", "visits", "q"):
        assert getattr(one, name).tobytes() == getattr(many, name).tobytes()
