"""A game that is played for the user to see, on the weights that learn: the run itself plays others."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muzero import build
from muzero.agent import Agent
from muzero.config import Config
from muzero.interactive.live_game import LiveGame
from muzero.interactive.pictures import frame_of
from muzero.interactive.thoughts import Move
from muzero.interfaces import WorldModel
from muzero.util.seeds import derive_short
from muzero.util.text import printable

SHARE = 0.01  # of the time that the game may take
PERIOD = 1.0  # seconds for which a position can be read, at least
REWARDS = 100  # moves of which predicted and real rewards are kept
SMALL = 16  # numbers of an observation that are worth reading
LONGEST = 200  # characters of an error


@dataclass(frozen=True)
class Shown:
    """A position, what the agent thought of it, and what its move earned."""

    game: int  # its number, from 1
    move: int  # moves before it
    text: str  # the position, where it is not a frame
    frame: np.ndarray | None  # [H, W, 3] uint8
    player: str  # who is to move; empty where one plays alone
    moves: Sequence[Move]  # the best first
    played: str
    value: float  # by the search
    network_value: float
    line: Sequence[str]  # what is expected to be played
    score: float | None  # once the game is over
    predicted: Sequence[float]  # rewards of the last moves
    real: Sequence[float]
    searched: bool = True  # whether the planner searched a tree
    numbers: str = ""  # what the network alone would play, where actions cannot be listed and there is no tree


class ShownGame:
    """Plays a move now and then.  It has weights, an environment and seeds of its own: the run learns the same."""

    def __init__(self, config: Config, acting: WorldModel) -> None:
        """Make nothing yet.

        Args:
            config: of the run.
            acting: the weights that act; they are read, and nothing else.
        """
        self.config, self.acting = config, acting
        self.model: WorldModel | None = None  # of this game's own
        self.two_player = build.spec(config).two_player
        self.clipped = bool(config.table("game").get("clip_rewards", False))
        self.rewards: deque[tuple[float, float]] = deque(maxlen=REWARDS)  # predicted, real
        self.newest: Shown | None = None
        self.error = ""  # why no game is shown
        self.games, self.spent, self.next = 0, 0.0, 0.0
        self.live: LiveGame | None = None

    def look(self) -> None:
        """Make a move, if it is time.  An error ends this game for good, and nothing else."""
        begun, prepares = time.monotonic(), self.live is None
        if self.error or begun < self.next:
            return
        try:
            self._move()
        except Exception as error:  # an environment may raise anything
            self.error = printable(f"{type(error).__name__}: {error}", LONGEST)
            self.close()
        spent = time.monotonic() - begun
        self.spent += spent
        # The first move makes the environment, and exports the network: that is paid once, and not made up for.
        self.next = begun + (PERIOD if prepares else max(PERIOD, spent / SHARE))

    def _move(self) -> None:
        if self.live is None:
            self.live = LiveGame(self._agent(), self._seed())
        elif self.live.over:
            self.live.restart(self._seed())
        game = self.live
        if self.model is not None:
            self.model.load_state_dict(self.acting.state_dict())
        thoughts, before = game.think(), self._position(game)
        place, rules = len(game.actions), game.rules
        player = rules.player(rules.to_move) if rules is not None and game.spec.two_player else ""
        earned = game.play(thoughts.action)
        predicted = thoughts.reward
        if predicted is not None:
            self.rewards.append((predicted, float(np.sign(earned)) if self.clipped else earned))
        pairs = list(self.rewards)
        self.newest = Shown(
            game=self.games,
            move=place,
            **before,
            player=player,
            moves=thoughts.moves,
            played=game.played[-1],
            value=thoughts.value,
            network_value=thoughts.network_value,
            line=thoughts.line,
            score=game.score if game.over else None,
            predicted=[each for each, _ in pairs],
            real=[each for _, each in pairs],
            searched=thoughts.result is not None,
            numbers=game.spec.actions.name([each.network for each in thoughts.numbers]) if thoughts.numbers else "",
        )

    def _agent(self) -> Agent:
        """The weights that act, in a model of this game's own, with the run's planner."""
        games = build.games(self.config, 1, training=False)
        games.close()
        self.model = copy.deepcopy(self.acting)
        return Agent(self.config, games, build.player(self.config, self.model), 0, Path())

    def _seed(self) -> int:
        self.games += 1
        return derive_short(self.config.table("run")["seed"], "games that are shown", self.games)

    def _position(self, game: LiveGame) -> Mapping:
        """Text or frame of the position."""
        rules, observation = game.rules, game.now.observation[0]
        frame = frame_of(observation) if rules is None else None
        text = ""
        if rules is not None:
            text = rules.draw()
        elif frame is None:
            numbers = " ".join(f"{number:.3g}" for number in observation.flat[:SMALL])
            text = numbers + (f" ... {observation.size - SMALL} more" if observation.size > SMALL else "")
        return {"text": text, "frame": frame}

    def close(self) -> None:
        """Release the environment."""
        live, self.live = self.live, None
        if live is not None:
            live.close()
