"""muzero-eval."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from muzero.cli.common import Parser, show_results, terminal
from muzero.config import ConfigError


def evaluate_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-eval."""
    parser = Parser(prog="muzero-eval", description="Play a trained run, greedily, and count.")
    parser.add_argument("run", type=Path, help="a run's folder, or one of its checkpoints")
    parser.add_argument("--against", required=True, help="random, minimax (small board games) or none (single agent)")
    parser.add_argument("--games", type=int, default=100)
    parser.add_argument("--simulations", type=int, help="per move (default: as trained)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    if options.games < 1:
        parser.error(f"--games {options.games}; expected at least 1")
    from muzero import build, evaluate
    from muzero.agent import Agent

    opponent = None if options.against == "none" else build.player(options.against, options.seed)
    agent = Agent.load(options.run, options.simulations)
    if agent.spec.two_player != (opponent is not None):
        expected = "random or minimax" if agent.spec.two_player else "none: it has a single agent"
        raise ConfigError([f"--against {options.against}: {agent.spec.name} is played against {expected}"])
    games = build.games(agent.config, min(options.games, 100), training=False)
    summary = evaluate.Summary(evaluate.play(games, agent.player, opponent, options.games, options.seed))
    console = terminal()
    title = f"step {agent.step:,}" + ("" if opponent is None else f" against {options.against}")
    show_results(console, {title: summary}, agent.spec.two_player)
    report = {"run": str(options.run), "game": agent.spec.name, "step": agent.step, "against": options.against}
    report |= {"seed": options.seed, **summary.report(agent.spec.two_player)}
    if isinstance(opponent, evaluate.MinimaxPlayer):
        report |= quality(agent, opponent, games, console)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    return 0


def quality(agent: Any, oracle: Any, games: Any, console: Console) -> dict[str, int]:
    """How many positions of a small game the agent plays optimally."""
    from muzero.agent import view
    from muzero.evaluate import move_quality

    start = games.states[0].get_game().new_initial_state()
    right, count = move_quality(agent.player, oracle, start, view)
    console.print(f"optimal choice in {right:,} of {count:,} positions ({right / count:.2%})", highlight=False)
    return {"positions": count, "optimal": right}
