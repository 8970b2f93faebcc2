"""Speed of the search library alone, on one core: thousand simulations per second, the Python border included.

The network is replaced by ready arrays, so what is measured is what a search costs beside it.  Beside it stands mctx,
where that is installed (pip install mctx), compiled beforehand, over the same arrays.

    python benchmarks/search.py [--seconds 1] [--only puct/64x18x50]
"""

import argparse
import os
import time

import numpy as np

from muzero import _tree, search

CASES = [(1, 4, 50), (64, 4, 50), (64, 18, 50), (256, 18, 50), (1, 82, 200), (1, 362, 200), (64, 362, 200)]
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
            trees = _tree.gumbel(logits, value, simulations, None, noise, 16, 0.1, 50.0, True, None, path=path)
        search.policies._run(trees, expand, simulations)

    return once


def theirs(rule, batch, actions, simulations):
    """The same with mctx."""
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="per figure")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        import mctx  # noqa: F401

        others = ["mctx"]
    except ImportError:
        others = []
    columns = [*_tree.paths(), *others]
    print(f"{'thousand simulations/s':24}" + "".join(f"{name:>10}" for name in columns))
    for rule in ("puct", "puct-tree", "gumbel"):
        for batch, actions, simulations in CASES:
            name = f"{rule}/{batch}x{actions}x{simulations}"
            if arguments.only not in name:
                continue
            figures = [
                rate(ours(rule, batch, actions, simulations, path), batch * simulations, arguments.seconds)
                for path in _tree.paths()
            ]
            if others and rule != "puct-tree":
                figures.append(rate(theirs(rule, batch, actions, simulations), batch * simulations, arguments.seconds))
            print(f"{name:24}" + "".join(f"{figure:10.0f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
