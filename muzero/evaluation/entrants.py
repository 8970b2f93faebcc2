"""Players by name: `random`, `mcts:100`, `gtp:gnugo --mode gtp`, or a run, `runs/first:best@64`, `zoo/connect_four`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from muzero import build
from muzero.agent import Agent
from muzero.config import Config, ConfigError, Layer
from muzero.interfaces import Player
from muzero.players import registry
from muzero.runs.zoo import hint, located
from muzero.util.text import printable

RUN = re.compile(r"(?P<folder>.+?)(?::(?P<step>best|\d+|step-[\d.]+))?(?:@(?P<simulations>\d+))?", re.DOTALL)


@dataclass(frozen=True)
class Entrant:
    """A player and where it comes from."""

    name: str  # as a person gave it; `enter` takes it again
    player: Player
    agent: Agent | None  # None if the player is not a run

    @property
    def step(self) -> int | None:
        """Environment steps of the checkpoint; None if the player is not a run."""
        return None if self.agent is None else self.agent.step


@dataclass(frozen=True)
class RunName:
    """The parts of a run's name."""

    folder: Path  # as it was given
    step: str | None  # of the checkpoint; None: the newest
    simulations: int | None  # of each search; None: as trained


def parse(text: str) -> RunName:
    """Parse FOLDER[:STEP][@SIMULATIONS], where STEP may be "best".

    Raises:
        ConfigError: if the text has not this form.
    """
    if located(Path(text)).exists():
        return RunName(Path(text), None, None)
    found = RUN.fullmatch(text)
    if found is None:
        raise ConfigError([f"{printable(text)!r} is not a player{registry.hint_of(text)}"])
    count = found["simulations"]
    return RunName(Path(found["folder"]), found["step"], None if count is None else int(count))


def enter(
    text: str, simulations: int | None = None, device: str = "cpu", trust: bool = False, game: str | None = None
) -> Entrant:
    """Make a player from its name.

    Args:
        text: a name of a player, or FOLDER[:STEP][@SIMULATIONS].
        simulations: of each search of a run whose name gives none.
        device: where the network of a run computes.
        trust: whether a run may execute code, as in `Agent.load`.
        game: the game that is given on the command line, which is consent to the code of this one game.

    Raises:
        ConfigError: if there is no such player, with the nearest; if a folder is not a run; or if a run would execute
            code without consent.
        CheckpointError: if the run's checkpoint cannot be read.
        PlayerError: if a player is not installed or cannot be started.
    """
    if registry.is_player(text):
        return Entrant(text, registry.player(text), None)
    name = parse(text)
    if not located(name.folder).exists():
        refuse_suffix(text)
        folder = "/" in text or name.step or name.simulations is not None
        meant = hint(str(name.folder)) or ("" if folder else registry.hint_of(text))
        raise ConfigError([f"{printable(text)}: no such player and no such folder{meant}"])
    count = simulations if name.simulations is None else name.simulations
    agent = Agent.load(name.folder, count, device, name.step, trust, game)
    return Entrant(text, agent.player, agent)


def refuse_suffix(text: str) -> None:
    """Refuse what follows the name of a run, if it is neither a step nor a number of simulations.

    Raises:
        ConfigError: naming what was expected.
    """
    for mark, expected in ((":", "a step or best"), ("@", "a number of simulations")):
        folder, _, suffix = text.rpartition(mark)
        if folder and located(Path(folder)).exists():
            raise ConfigError([f"{printable(text)}: {printable(suffix)!r} follows the run; expected {expected}"])


def stage(entrants: Sequence[Entrant], game: str | None) -> Config:
    """The configuration of the game that the players play: that of their runs, or the one that is named.

    Raises:
        ConfigError: if no game is named, or the players are of different games.
    """
    agents = [entrant for entrant in entrants if entrant.agent is not None]
    games = {entrant.name: entrant.agent.spec.name for entrant in agents if entrant.agent}
    if game is not None:
        games = {"--game": game, **games}
    if not games:
        raise ConfigError(["no player is a run: name the game with --game, as in --game board/connect_four"])
    if len(set(games.values())) > 1:
        raise ConfigError(["players of different games: " + ", ".join(f"{who} {what}" for who, what in games.items())])
    if agents and agents[0].agent:
        return agents[0].agent.config
    # No planner is used here, so the game need not suit the configured one.
    return build.configure(next(iter(games.values())), [Layer("no run plays", {"planner": {"kind": "reactive"}})])


def named(folder: Path, step: int, simulations: int | None = None) -> str:
    """The name of a checkpoint, as `enter` takes it."""
    return f"{folder}:{step}" + ("" if simulations is None else f"@{simulations}")
