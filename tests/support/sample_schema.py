"""A schema of realistic size, and ways to lay layers over it."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from muzero.config import ConfigError, Layer, Range, merge
from muzero.config.schema import parameters

Positive = Annotated[int, Range(1, 10000)]
Fraction = Annotated[float, Range(0.0, 1.0)]


@dataclass(frozen=True, kw_only=True)
class GumbelPlanner:
    simulations: Positive = 50
    considered: Positive = 16
    value_scale: Annotated[float, Range(0.0)] = 0.1
    visit_offset: float = 50.0
    rescale: bool = True
    max_depth: Positive | None = None


@dataclass(frozen=True, kw_only=True)
class PuctPlanner:
    simulations: Positive = 50
    c_init: float = 1.25
    c_base: float = 19652.0
    normalize: Literal["siblings", "tree"] | tuple[float, float] = "siblings"
    dirichlet_alpha: Annotated[float, Range(0.0, 10.0)] = 0.3
    dirichlet_fraction: Fraction = 0.25


class Model:
    def __init__(
        self,
        observation,
        actions: int,
        *,
        channels: tuple[Positive, ...] = (64, 64),
        blocks: Positive = 2,
        hidden: Positive = 256,
        reward_bins: Positive = 51,
        value_bins: Positive = 51,
        support_low: float = -300,
        support_high: float = 300,
        layer_norm: bool = False,
        activation: Literal["relu", "elu", "mish"] = "relu",
    ):
        self.given = (observation, actions)
        self.channels = channels
        self.blocks = blocks


def objective(
    *,
    unroll: Positive = 5,
    bootstrap: Positive = 10,
    trace_decay: Fraction = 0.95,
    policy_weight: float = 1.0,
    value_weight: float = 0.25,
    reward_weight: float = 1.0,
    consistency_weight: float = 2.0,
    entropy_weight: float = 0.0,
    projection: Positive = 1024,
    transform_epsilon: float = 0.001,
):
    return unroll


def learner(
    device,
    *,
    batch: Positive = 64,
    learning_rate: Annotated[float, Range(0.0, 1.0)] = 1e-3,
    weight_decay: Fraction = 1e-4,
    momentum: Fraction = 0.9,
    warmup: Annotated[int, Range(0)] = 0,
    optimizer: Literal["adam", "sgd"] = "adam",
    betas: tuple[float, float] = (0.9, 0.999),
    clip: float | None = None,
    target_period: Positive = 100,
    compile: bool = False,
    precision: Literal["float32", "bfloat16"] = "float32",
):
    return device, batch


def replay(
    *,
    capacity: Annotated[int, Range(1)] = 100_000,
    window: Positive = 200,
    minimum: Annotated[int, Range(0)] = 2000,
    priority_exponent: Fraction = 1.0,
    importance_exponent: Fraction = 0.4,
    reanalyze_fraction: Fraction = 0.8,
    compression: str = "none at all",
):
    return capacity


def run(
    *,
    seed: int = 0,
    name: str | None = None,
    actors: Positive = 1,
    games: Positive = 32,
    total_steps: Annotated[int, Range(1)] = 100_000,
    updates_per_step: float = 0.25,
    evaluation_games: Positive = 100,
    evaluation_interval: Positive = 5000,
    checkpoint_interval: Positive = 1000,
    temperature: Annotated[float, Range(0.0)] = 1.0,
    temperature_steps: Annotated[int, Range(0)] = 30,
    discount: Fraction = 0.997,
):
    return seed


SCHEMA = {
    "planner": {"gumbel": GumbelPlanner, "puct": PuctPlanner},
    "model": {"vector": Model},
    "objective": objective,
    "learner": learner,
    "replay": replay,
    "run": run,
}
PLAIN = ["learner", "replay", "run", "objective"]  # tables without kinds
CONSTRUCTORS = [GumbelPlanner, PuctPlanner, Model, objective, learner, replay, run]
KEYS = sorted({key for constructor in CONSTRUCTORS for key in parameters(constructor)})


def configure(*layers):
    """The configuration of layers given as dicts, which are named a, b, c."""
    return merge([Layer(name, tables) for name, tables in zip("abc", layers, strict=False)], SCHEMA)


def problems(*layers, schema=SCHEMA):
    with pytest.raises(ConfigError) as caught:
        merge([layer if isinstance(layer, Layer) else Layer("my.toml", layer) for layer in layers], schema)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems
