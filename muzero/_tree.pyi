"""Batched search trees in C++; `muzero.search` says what everything means."""

import numpy as np

version: str  # of the package that the extension was built for

_Evaluation = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
_Selection = tuple[np.ndarray, np.ndarray, np.ndarray]

class Search:
    """One search, made by `puct`, `stochastic` or `gumbel`.

    Calls come as select, step, ..., step, backup, result; any other order is a RuntimeError.
    """

    def select(self) -> _Selection: ...
    def backup(self, evaluation: _Evaluation) -> None: ...
    def step(self, evaluation: _Evaluation) -> _Selection:
        """Backup, then select."""
    def result(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]: ...
    def parent(self) -> np.ndarray: ...
    def action(self) -> np.ndarray: ...
    def visits(self) -> np.ndarray: ...
    def value(self) -> np.ndarray: ...
    def raw_value(self) -> np.ndarray: ...
    def reward(self) -> np.ndarray: ...
    def discount(self) -> np.ndarray: ...
    def prior_logits(self) -> np.ndarray: ...
    def children(self) -> np.ndarray: ...

def puct(
    prior_logits: np.ndarray,
    value: np.ndarray,
    simulations: int,
    legal: np.ndarray | None,
    c_init: float,
    c_base: float,
    normalize: str | tuple[float, float],
    max_depth: int | None,
    threads: int = 1,
    path: str | None = None,
) -> Search: ...
def stochastic(
    prior_logits: np.ndarray,
    value: np.ndarray,
    simulations: int,
    chance: int,
    legal: np.ndarray | None,
    c_init: float,
    c_base: float,
    normalize: str | tuple[float, float],
    max_depth: int | None,
    threads: int = 1,
    path: str | None = None,
) -> Search: ...
def gumbel(
    prior_logits: np.ndarray,
    value: np.ndarray,
    simulations: int,
    legal: np.ndarray | None,
    noise: np.ndarray | None,
    considered: int,
    value_scale: float,
    visit_offset: float,
    rescale: bool,
    least_range: float,
    max_depth: int | None,
    threads: int = 1,
    path: str | None = None,
) -> Search: ...
def paths() -> list[str]: ...
