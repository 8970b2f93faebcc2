"""muzero-tree."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from muzero.cli.agent_options import refuse_absent
from muzero.cli.exits import guarded
from muzero.cli.parser import Parser, add_consent, number
from muzero.util.text import shell_word

LEAST = {"depth": 1, "seed": 0, "simulations": 1}
LARGEST = 2**63 - 1  # of a number that an option takes


def tree_command(arguments: Sequence[str] | None = None) -> int:
    """Search one position, show the tree, and write it as a page."""
    options = parsed(arguments)
    refuse_absent(str(options.run))
    from muzero import build
    from muzero.agent import Agent
    from muzero.cli.tables import terminal
    from muzero.cli.tree_view import describe, show
    from muzero.play.position import Position, TreeNames
    from muzero.runs.folder import RunFolder
    from muzero.runs.zoo import outputs
    from muzero.search import to_dot, to_html

    agent = Agent.load(options.run, options.simulations, "cpu", options.checkpoint, options.trust, options.game)
    agent.tree_planner()
    games = build.games(agent.config, 1, training=False)
    position = Position(games, options.seed, options.moves)
    result = agent.search(position.now.observation, position.now.legal)
    names = TreeNames(result.tree, position.rules, agent.spec.actions)
    facts = describe(agent, position, result, names)
    show(terminal(), facts, result, names, options.depth)
    games.close()
    page = options.html or RunFolder(outputs(agent.folder)).tree
    chosen, title = int(result.action[0]), f"Search tree of {agent.spec.name}"
    drawn = to_html(result.tree, 0, names, chosen, title=title, facts=facts, allowed=names.allowed)
    page.write_text(drawn, encoding="utf-8")
    print(f"wrote the search tree to {shell_word(page)}")
    if options.dot:
        options.dot.write_text(to_dot(result.tree, 0, names, chosen), encoding="utf-8")
        print(f"wrote the search tree for Graphviz to {shell_word(options.dot)}")
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of muzero-tree: the run, the position, and how to show its tree."""
    parser = Parser(
        prog="muzero-tree",
        example="zoo/connect_four",
        description="Search one position with a trained run, and show the tree.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, one of its checkpoints, or zoo/NAME")
    parser.add_argument("--moves", default="", help='moves from the start to the position: "4 0 8" or "x(1,1) o(0,0)"')
    parser.add_argument(
        "--simulations", type=number, metavar="N", help="simulations of the search (default: as trained)"
    )
    parser.add_argument("--checkpoint", metavar="STEP|best", help="which checkpoint: 3000, best (default: the newest)")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write the page to this file (default: RUN/tree.html)"
    )
    parser.add_argument("--dot", type=Path, metavar="FILE", help="also write the tree for Graphviz to a file")
    parser.add_argument(
        "--depth", type=number, default=3, metavar="N", help="depth of the tree in the terminal (default 3)"
    )
    parser.add_argument("--seed", type=number, default=0, metavar="N", help="seed of the game (default 0)")
    add_consent(parser)
    options = parser.parse_args(arguments)
    for name, least in LEAST.items():
        given = getattr(options, name)
        if given is not None and not least <= given <= LARGEST:
            bound = f"at least {least}" if given < least else f"at most {LARGEST}"
            parser.error(f"--{name} {given}; expected {bound}")
    return options


main = guarded(tree_command)
