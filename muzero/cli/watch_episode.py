"""The episode that muzero-watch shows: who plays, which game, and how far."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, chdir
from dataclasses import replace
from types import TracebackType
from typing import Self

from muzero import build
from muzero.config import Config, ConfigError
from muzero.evaluation.entrants import Entrant, enter, stage
from muzero.evaluation.in_training import usual_openings
from muzero.games.registry import protocols
from muzero.interactive.episode import Scene, Thinker, scenes
from muzero.interfaces import Player
from muzero.planners.reactive import ReactivePlanner
from muzero.planners.searching import TreePlanner
from muzero.players.planning import PlanningPlayer
from muzero.util.text import printable


class Watched:
    """One game of an evaluation, to be shown from step to step."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Load the players and make the game.

        Raises:
            ConfigError: if a player does not exist, is not a run, or the options do not fit the game.
            CheckpointError: if a run's checkpoint cannot be read.
            PlayerError: if a player cannot be started.
        """
        self._options, self._stack = options, ExitStack()
        self.last: Scene | None = None  # that was shown
        run = options.run if options.checkpoint is None else f"{options.run}:{options.checkpoint}"
        entrant = self._enter(run)
        if entrant.agent is None:
            raise ConfigError([f"{printable(run)} is not a run; to watch it play, name it with --against"])
        self.agent, self._opponent = entrant.agent, self._against()
        config = stage([entrant, *([self._opponent] if self._opponent else [])], options.game)
        config = self._protocol(config)
        with chdir("."):
            self.games = build.games(config, 1, training=False, frames=True)
        self._stack.callback(self.games.close)
        if self._opponent and not self.games.spec.two_player:
            raise ConfigError([f"--against {options.against}: {self.games.spec.name} has a single agent; leave it out"])
        self.title = self._title(run)

    def _enter(self, name: str) -> Entrant:
        options = self._options
        entrant = enter(name, options.simulations, "cpu", options.trust, options.game)
        self._stack.callback(entrant.player.close)
        return entrant

    def _against(self) -> Entrant | None:
        against = self._options.against
        if against == "human":
            raise ConfigError(["--against human: a person plays with muzero-play, or muzero-eval --against human"])
        return None if against is None else self._enter(against)

    def _protocol(self, config: Config) -> Config:
        """The configuration of the game as it is evaluated, with sticky actions if the options say so."""
        rules = list(protocols(config).values())
        if self._options.sticky and len(rules) < 2:
            raise ConfigError([f"--sticky is for Atari games; this is {config.table('run')['game']}"])
        return rules[1 if self._options.sticky else 0]

    def _title(self, run: str) -> str:
        planner, searched = self.agent.player.planner, f"planner {self.agent.config.kind('planner')}"
        if isinstance(planner, TreePlanner):
            searched = f"{planner.simulations} simulations"
        elif isinstance(planner, ReactivePlanner):
            searched = "no search"
        parts = [self.games.spec.name, f"{run} at step {self.agent.step:,}", searched]
        if self.games.spec.two_player:
            first = self._options.episode % 2 == 1
            whom = self._options.against or "itself"
            parts.append(f"against {whom}, {'first' if first else 'second'} to move")
        return printable("  ·  ".join(parts), 200)

    def scenes(self) -> Iterator[Scene]:
        """The episode, up to its end or to the limit of steps."""
        options, spec = self._options, self.games.spec
        opponent: Player | None = None
        if spec.two_player:
            opponent = self._player(self._opponent) if self._opponent else Thinker(self.agent)
        openings = usual_openings(spec) if options.openings is None else options.openings
        number = options.episode - 1
        for scene in scenes(self.games, Thinker(self.agent), opponent, number, options.seed, openings):
            self.last = scene
            if options.steps is not None and scene.step >= options.steps and not scene.over:
                self.last = replace(scene, over=True, ended="stopped by --steps")
                yield self.last
                return
            yield scene

    @staticmethod
    def _player(entrant: Entrant) -> Player:
        """A player whose thoughts can be read, where it is a run."""
        if entrant.agent is not None and isinstance(entrant.player, PlanningPlayer):
            return Thinker(entrant.agent)
        return entrant.player

    def summary(self) -> str:
        """The end of the episode in a line; empty where nothing was shown."""
        if self.last is None:
            return ""
        ended = self.last.ended or "not played to its end"
        return f"{ended}: score {self.last.score:g} after {self.last.step:,} steps"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._stack.close()
