"""Speed of the search library alone, on one core: thousand simulations per second, the Python border included.

The network is replaced by ready arrays, so what is measured is what a search costs beside it.  Beside it stands mctx,
where that is installed (pip install mctx), compiled beforehand, over the same arrays.

    muzero-bench search [--seconds 1] [--only puct/64x18x50]
"""

import importlib.util
import os
import time

import numpy as np

from muzero import _tree, search
from muzero.cli.parser import Parser
from muzero.search.loop import finish

CASES = [
    (1, 4, 50),
    (16, 18, 50),
    (64, 4, 50),
    (64, 18, 16),
    (64, 18, 50),
    (256, 18, 50),
    (1, 82, 200),
    (16, 82, 200),
    (1, 362, 200),
    (64, 362, 200),
]
READY = 16  # evaluations made beforehand, used in turns


def evaluations(batch, actions, count):
    """Outputs of a network as it could be: small rewards, values and logits of unit variance.

    Speed depends on how deep they make the trees: at 64x18x50 a simulation of pUCT passes 8 edges.  With rare rewards
    of 1 it passes 11 and is a fifth slower, with rewards and values uniform in [0, 1] 17 and two fifths slower.
    """
    rng = np.random.default_rng(0)
    return [
        (
            rng.normal(0, 0.1, batch).astype(np.float32),
            np.full(batch, 0.997, np.float32),
            rng.normal(0, 1, batch).astype(np.float32),
            rng.normal(0, 1, (batch, actions)).astype(np.float32),
        )
        for _ in range(count)
    ]


def ours(rule, batch, actions, simulations, path):
    """A function that searches once."""
    ready = evaluations(batch, actions, READY)
    noise = np.random.default_rng(1).gumbel(size=(batch, actions)).astype(np.float32)
    _, _, value, logits = ready[0]

    def once():
        turn = iter(ready * (simulations // READY + 1))
        expand = lambda parent, action, node: next(turn)  # noqa: E731
        if rule == "puct":
            trees = _tree.puct(logits, value, simulations, None, 1.25, 19652.0, "siblings", None, path=path)
        elif rule == "puct-tree":
            trees = _tree.puct(logits, value, simulations, None, 1.25, 19652.0, "tree", None, path=path)
        else:
            trees = _tree.gumbel(logits, value, simulations, None, noise, 16, 0.1, 50.0, True, 1e-8, None, path=path)
        search.policies.found([finish(trees, expand, simulations)])

    return once


def theirs(rule, batch, actions, simulations):
    """A function that runs the same search once with mctx, compiled by JAX."""
    import jax
    import jax.numpy as jnp
    import mctx

    ready = [jnp.stack(arrays) for arrays in zip(*evaluations(batch, actions, READY), strict=True)]

    def recurrent(params, key, action, embedding):
        turn = embedding[0] % READY
        reward, discount, value, logits = (array[turn] for array in ready)
        output = mctx.RecurrentFnOutput(reward=reward, discount=discount, prior_logits=logits, value=value)
        return output, embedding + 1

    root = mctx.RootFnOutput(prior_logits=ready[3][0], value=ready[2][0], embedding=jnp.zeros(batch, jnp.int32))
    policy = mctx.muzero_policy if rule == "puct" else mctx.gumbel_muzero_policy
    extra = {"dirichlet_fraction": 0.0} if rule == "puct" else {}
    compiled = jax.jit(lambda key: policy((), key, root, recurrent, simulations, **extra).action)
    key = jax.random.PRNGKey(0)
    compiled(key).block_until_ready()
    return lambda: compiled(key).block_until_ready()


def rate(once, work, seconds):
    """Thousand simulations per second: the median of rounds of about 0.1 s."""
    once()
    begin = time.perf_counter()
    once()
    repeat = max(1, round(0.1 / max(time.perf_counter() - begin, 1e-6)))
    rates, end = [], time.perf_counter() + seconds
    while not rates or time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(repeat):
            once()
        rates.append(repeat * work / (time.perf_counter() - begin) / 1e3)
    return float(np.median(rates))


def main(arguments=None):
    """Measure searches without a network on one core, and print thousands of simulations per second."""
    parser = Parser(prog="muzero-bench search", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="per figure")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    columns = list(_tree.paths())
    rivals = [f"mctx {rule}" for rule in ("puct", "gumbel")] if importlib.util.find_spec("mctx") else []
    print(f"{'thousand simulations/s':24}" + "".join(f"{name:>13}" for name in (*columns, *rivals)) + "   ours/mctx")
    for rule in ("puct", "puct-tree", "gumbel"):
        for case in CASES:
            name = f"{rule}/{'x'.join(map(str, case))}"
            if options.only in name:
                print(f"{name:24}" + line(rule, case, columns, rivals, options.seconds), flush=True)


def line(rule, case, paths, rivals, seconds):
    """Figures of a case: ours by instruction set, mctx's two policies, and the ratio to the better of these."""
    batch, _, simulations = case
    figures = [rate(ours(rule, *case, path), batch * simulations, seconds) for path in paths]
    others = [rate(theirs(name.split()[1], *case), batch * simulations, seconds) for name in rivals]
    ratio = f"{figures[-1] / max(others):12.1f}" if others else ""
    return "".join(f"{figure:13.1f}" for figure in figures + others) + ratio
