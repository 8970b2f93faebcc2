"""What all cases of `muzero-bench gpu` share: the device, the clock, the game, its experience, where figures go."""

import importlib.util
import json
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from muzero import build
from muzero.config import Config, parse_settings
from muzero.data.replay import Replay
from muzero.data.schema import Segment
from muzero.interfaces import GameSpec, WorldModel
from muzero.planners.reactive import ReactivePlanner

GAMES = {"ale_py": "atari/pong", "minatar": "minatar/breakout", "": "board/connect_four"}  # by the package they need
LARGE = ["model.channels=64", "learner.batch=256", "planner.simulations=16", "planner.considered=4"]
TINY = ["model.channels=8", "learner.batch=8", "planner.simulations=4", "planner.considered=4"]
PONG = {False: ["game.size=64", "model.smallest_side=8"], True: ["game.size=24", "model.smallest_side=6"]}
PLAYED = {False: (32, 128), True: (4, 32)}  # games and steps of the experience that is learned from


class Case(NamedTuple):
    """Something to measure."""

    part: str
    name: str
    measure: Callable[[], None]


class Figure(NamedTuple):
    """What was measured."""

    part: str
    name: str
    value: float
    unit: str


class Bench:
    """What all cases share: the device, the clock, the game, its experience, and where figures go."""

    def __init__(self, device: torch.device, file: Path, seconds: float, tiny: bool, settings: list[str]) -> None:
        self.device, self.file, self.tiny, self.settings = device, file, tiny, settings
        self.on_gpu = device.type == "cuda"
        self.end = time.monotonic() + seconds
        self.part = ""  # under way
        self.figures: list[Figure] = []
        self.failed: list[tuple[str, str, str]] = []  # part, name and reason
        self.game = next(game for package, game in GAMES.items() if not package or importlib.util.find_spec(package))

    # --- figures ---------------------------------------------------------------------------------------------------

    def write(self, line: dict[str, Any]) -> None:
        """Append a line of JSON."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def say(self, name: str, value: float, unit: str) -> None:
        """Keep, write and print a figure of the part under way."""
        value = float(f"{float(value):.5g}")
        self.figures.append(Figure(self.part, name, value, unit))
        self.write({"part": self.part, "name": name, "value": value, "unit": unit})
        print(f"{self.part:10}{name:60}{value:14,.5g} {unit}", flush=True)

    # --- the clock -------------------------------------------------------------------------------------------------

    def wait(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def median(self, function: Callable[[], Any], seconds: float = 1.0, least: int = 5) -> float:
        """Seconds of a call, waited for each time."""
        function()
        self.wait()
        found, end = [], time.perf_counter() + seconds * (0.05 if self.tiny else 1)
        while len(found) < least or time.perf_counter() < end:
            begin = time.perf_counter()
            function()
            self.wait()
            found.append(time.perf_counter() - begin)
        return float(np.median(found))

    def steady(self, function: Callable[[], Any], seconds: float = 3.0) -> float:
        """Seconds of a call where the next begins at once: what a loop gets that lets the host run ahead."""
        function()
        self.wait()
        count, begin, end = 0, time.perf_counter(), seconds * (0.05 if self.tiny else 1)
        while count < 2 or time.perf_counter() - begin < end:
            function()
            count += 1
        self.wait()
        return (time.perf_counter() - begin) / count

    # --- the game and its experience -------------------------------------------------------------------------------

    def config(self, *settings: str) -> Config:
        """The configuration, with further settings."""
        sizes = [*(TINY if self.tiny else LARGE), *(PONG[self.tiny] if self.game == "atari/pong" else [])]
        return build.configure(self.game, [parse_settings([*sizes, *self.settings, *settings])])

    @cached_property
    def spec(self) -> GameSpec:
        """The specification of the game."""
        return build.spec(self.config())

    def model(self, config: Config) -> WorldModel:
        """The model with the first weights of seed 0, on the device."""
        return build.model(config, self.spec, 0).to(self.device)

    @cached_property
    def segments(self) -> list[Segment]:
        """Experience of a model that does not search: real frames."""
        config, (count, steps) = self.config(), PLAYED[self.tiny]
        games = build.games(config, count, training=True)
        play = build.selfplay(config, games, self.model(config), ReactivePlanner(), 0, 0, 0).play
        segments = play(steps).segments
        while sum(map(len, segments)) < count * steps // 2:  # not handed over yet
            segments += play(steps).segments
        games.close()
        return segments

    def replay(self, config: Config) -> Replay:
        """A replay of the experience, which draws the same batches each time."""
        replay = build.replay(config, self.spec, 0, self.device)
        for segment in self.segments:
            replay.add(segment)
        return replay

    def observations(self, batch: int) -> torch.Tensor:
        """[B, *observation] on the device, of the experience."""
        seen = np.concatenate([segment.columns["observation"] for segment in self.segments])
        return torch.from_numpy(np.resize(seen, (batch, *self.spec.observation))).to(self.device)
