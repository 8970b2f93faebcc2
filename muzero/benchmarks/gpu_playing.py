"""Cases of `muzero-bench gpu` about searches, self-play, and the games alone."""

import numpy as np
import torch

from muzero import build
from muzero.benchmarks.gpu_bench import Bench, Case
from muzero.benchmarks.gpu_learning import PROGRESS, learner_of
from muzero.inference import observed_first
from muzero.planners.searching import TreePlanner
from muzero.training.updates import Updates

BATCHES = (64, 256, 2048)
PATHS = {"cuda": ("torch", "cuda_graph", "auto"), "cpu": ("torch", "auto")}
GAMES = ((8, 1), (32, 4), (64, 8), (128, 16))  # games side by side, and threads of the emulator
PLAYERS = 64  # games side by side in self-play
EVERY = 2  # steps for each update, where a run plays and learns


def cases(bench: Bench) -> list[Case]:
    """Simulations per second by batch and path, steps per second of self-play, and of the games alone."""
    searches = [
        Case("search", f"{path}, batch {batch}", lambda batch=batch, path=path: searching(bench, batch, path))
        for batch in (BATCHES[:1] if bench.tiny else BATCHES)
        for path in PATHS[bench.device.type]
    ]
    playing = [Case("play", "self-play", lambda: play(bench)), Case("play", "and learn", lambda: play_and_learn(bench))]
    pools = GAMES[:1] if bench.tiny or bench.game != "atari/pong" else GAMES
    alone = [Case("games", f"{pool[0]}", lambda pool=pool: stepping(bench, *pool)) for pool in pools]
    return [*searches, *playing, *alone]


def searching(bench: Bench, batch: int, path: str) -> None:
    """Searches that explore, from roots that are observed already."""
    config = bench.config(f"planner.inference={path}")
    model, planner = bench.model(config).eval(), build.planner(config)
    assert isinstance(planner, TreePlanner)
    with torch.inference_mode():
        observation = bench.observations(batch)

        def roots():
            return observed_first(model, observation, explores=True, path=planner.path)

        root, seconds = roots(), bench.median(roots, 0.2)
    legal, rng = np.ones((batch, bench.spec.actions.columns), bool), np.random.default_rng(0)
    bench.say(f"{path}, batch {batch}: roots observed in", 1e3 * seconds, "ms")
    seconds = bench.median(lambda: planner.search(model, root, legal, rng), 0.6)
    bench.say(f"{path}, batch {batch}: search of {planner.simulations} simulations", 1e3 * seconds, "ms")
    bench.say(f"{path}, batch {batch}", batch * planner.simulations / seconds / 1e3, "thousand simulations/s")


def selfplay(bench: Bench, model):
    """Self-play of a model, with the games that it plays."""
    config, count = bench.config(), 4 if bench.tiny else PLAYERS
    games = build.games(config, count, training=True)
    return games, build.selfplay(config, games, model, build.planner(config), 0, 1, 0)


def play(bench: Bench) -> None:
    """Self-play alone: the games, the model and the search in turns."""
    games, player = selfplay(bench, bench.model(bench.config()))
    seconds = bench.steady(lambda: player.play(1), 2)
    games.close()
    bench.say(f"self-play of {games.batch} games", games.batch / seconds, "steps/s")
    bench.say(f"self-play of {games.batch} games: a step of all", 1e3 * seconds, "ms")


def play_and_learn(bench: Bench) -> None:
    """Self-play and updates in turns, as a run in one process has them; the weights are not handed over."""
    config = bench.config()
    learner, replay = learner_of(bench, config), bench.replay(config)
    updates = Updates(learner, replay)
    games, player = selfplay(bench, bench.model(config))

    def once() -> None:
        for segment in player.play(1).segments:
            replay.add(segment)
        for _ in range(games.batch // EVERY):
            updates.make(PROGRESS)

    seconds = bench.steady(once, 4)
    games.close()
    bench.say(f"self-play of {games.batch} games while it learns", games.batch / seconds, "steps/s")
    bench.say("updates while it plays", games.batch // EVERY / seconds, "updates/s")


def stepping(bench: Bench, count: int, threads: int) -> None:
    """The games alone, with random actions."""
    atari = bench.game == "atari/pong"
    games = build.games(bench.config(*([f"game.threads={threads}"] if atari else [])), count, training=True)
    rng = np.random.default_rng(0)
    now = games.reset(np.arange(count))

    def once() -> None:
        nonlocal now
        now = games.step(games.spec.actions.draw(now.legal, rng))

    seconds = bench.median(once, 1)
    games.close()
    with_threads = f", {threads} threads" if atari else ""
    bench.say(f"{count} games{with_threads}", count / seconds, "steps/s")
