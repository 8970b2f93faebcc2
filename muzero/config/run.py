"""Settings of a whole run: the tables [run] and [actors]."""

from dataclasses import dataclass
from typing import Annotated, Literal

from muzero.config import Range


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How long, how often, how much."""

    game: str = ""
    seed: Annotated[int, Range(0, 2**31)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Range(1, 1024)] = 1  # of torch, on the CPU
    steps: Annotated[int, Range(1)] = 100_000  # environment steps of the whole run
    seconds: Annotated[float, Range(0.0)] | None = None  # ends the run early
    games: Annotated[int, Range(1, 65_536)] = 16  # side by side in each actor
    play: Annotated[int, Range(1, 10_000)] = 8  # steps of each game between two rounds of learning
    updates_per_step: Annotated[float, Range(0.0, 1000.0)] = 0.25
    start: Annotated[int, Range(1)] = 1000  # environment steps before learning begins
    save_every: Annotated[int, Range(1)] = 20_000  # environment steps
    keep: Annotated[int, Range(1, 1000)] = 3  # newest checkpoints; the best by evaluation stays too
    keep_every: Annotated[float, Range(1.0)] = 43_200.0  # seconds of training; one checkpoint of each such time stays
    failed_saves: Annotated[int, Range(0)] = 0  # in a row, after which the run gives up; 0: it never does
    evaluate_every: Annotated[int, Range(0)] = 0  # environment steps; 0 evaluates at the end only
    opponent: str = "random"  # of evaluations during the run, in games for two: any player of muzero-eval but a run
    evaluation_games: Annotated[int, Range(1, 100_000)] = 100


@dataclass(frozen=True, kw_only=True)
class ActorSettings:
    """Who plays: this process, or actors in processes of their own."""

    count: Annotated[int, Range(-1, 100_000)] = 0  # 0: this process plays; -1 ("auto"): as many as there are cores for
    address: str = ""  # of a running Ray cluster; empty: this machine alone
    cpus: Annotated[float, Range(0.0, 1024.0)] = 1.0  # of each actor
    gpus: Annotated[float, Range(0.0, 16.0)] = 0.0  # of each actor; fractions share one
    reanalyse: Annotated[int, Range(0, 10_000)] = 0  # more actors, which plan stored positions again
    evaluate: Annotated[int, Range(0, 1)] = 0  # one more actor, which evaluates while the others play
    in_flight: Annotated[int, Range(1, 2)] = 2  # orders under way per actor
    max_age: Annotated[int, Range(1)] = 50  # publications of weights since a segment's, to learn from it
    patience: Annotated[float, Range(0.1)] = 60.0  # seconds of one order, or ten times what is usual, until it hangs
    insecure: bool = False  # use a cluster that asks for no token
