"""One environment of the gymnasium form as one game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from muzero.games.action_views import ActionView
from muzero.games.checks import legal_actions, number, shown
from muzero.games.errors import WrongForm
from muzero.games.faults import truth
from muzero.games.one_game import OneGame
from muzero.games.spaces import View

STEP = "observation, reward, terminated, truncated, info"
MASK = "action_mask"
RENDER_MODE = "rgb_array"  # in which an environment draws without a window


def draws(environment: Any) -> bool:
    """Whether an environment, or its class, can draw without a window."""
    modes = (getattr(environment, "metadata", None) or {}).get("render_modes")
    return isinstance(modes, list | tuple) and RENDER_MODE in modes


class GymnasiumGame(OneGame):
    """One environment of the gymnasium form.

    With masked, an `action_mask` in the environment's info says which actions are legal.
    """

    def __init__(self, environment: Any, seen: View, actions: ActionView, discount: float, masked: bool) -> None:
        self.environment = environment
        self.observation: Any = None  # as the environment returned it last
        self.info: Mapping[str, Any] = {}
        self._seen, self._actions = seen, actions
        self._discount = discount
        self.masked = masked

    def reset(self, seed: int) -> None:
        try:
            found = self.environment.reset(seed=seed)
        except TypeError as error:
            if "seed" not in str(error):
                raise
            raise ValueError(
                f"reset() takes no seed, as in gym before 0.26; expected reset(seed=None): {error}"
            ) from error
        if not (isinstance(found, tuple) and len(found) == 2):
            expected = "the pair observation, info; gym before 0.26 returned the observation alone"
            raise ValueError(f"reset returned {shown(found)}, expected {expected}")
        self.observation, info = found
        self.info = _mapping(info, "reset")

    def step(self, action: Any) -> tuple[float, float, bool]:
        found = self.environment.step(self._actions.native(action))
        if not (isinstance(found, tuple | list) and len(found) == 5):
            raise _wrong_step(found)
        self.observation, reward, terminated, truncated, info = found
        self.info = _mapping(info, "step")
        over, cut = truth(terminated, "terminated"), truth(truncated, "truncated")
        return number(reward, "reward"), 0.0 if over else self._discount, cut

    def observe(self, out: np.ndarray) -> None:
        self._seen.write(self.observation, out)

    def convert(self, observation: Any) -> np.ndarray:
        out = np.empty(self._seen.shape, self._seen.dtype)
        self._seen.write(observation, out)
        return out

    def native(self, action: Any) -> Any:
        return self._actions.native(action)

    def own(self, action: Any) -> Any:
        return self._actions.own(action)

    def frame(self) -> np.ndarray | None:
        if getattr(self.environment, "render_mode", None) != RENDER_MODE:
            return None
        drawn = np.asarray(self.environment.render())
        if drawn.dtype != np.uint8 or drawn.ndim != 3 or drawn.shape[2] != 3:
            raise ValueError(f"render returned {drawn.dtype} of shape {drawn.shape}, expected uint8 [H, W, 3]")
        return drawn

    def legal(self) -> Sequence[int] | None:
        if not self.masked or MASK not in self.info:
            return None
        space = self._actions.space
        if not space.columns:
            raise WrongForm(f"info holds {MASK}, but {space.describe()} cannot be listed; leave it out")
        return legal_actions(self.info[MASK], space.columns, MASK)

    def close(self) -> None:
        # A user's own environment need not inherit gymnasium's, so need not have a close.
        getattr(self.environment, "close", lambda: None)()


def _mapping(info: Any, call: str) -> Mapping[str, Any]:
    if isinstance(info, Mapping):
        return info
    raise ValueError(
        f"{call} returned the info {shown(info)}, expected a dict; an empty one where there is nothing to say"
    )


def _wrong_step(found: Any) -> Exception:
    """The error for a step that did not return five values; four of them are gym's old form, which stays as it is."""
    if not isinstance(found, tuple | list):
        return ValueError(f"step returned {shown(found)}, expected five values: {STEP}")
    if len(found) == 4:
        return WrongForm(
            f"step returned 4 values, as in gym before 0.26; gymnasium's five are {STEP}: "
            "split done into terminated (the game is over) and truncated (it was cut short)"
        )
    return ValueError(f"step returned {len(found)} values, expected five: {STEP}")
