"""muzero-tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as Drawing

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser
from muzero.cli.tables import terminal

if TYPE_CHECKING:
    from muzero.agent import Agent
    from muzero.play.position import Position, TreeNames
    from muzero.search import Node, Result

ROWS = 20  # of the table of actions
BRANCHES = 30  # of the tree in the terminal
POLICY = 5  # actions of the improved policy that the page names


def tree_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-tree."""
    parser = Parser(prog="muzero-tree", description="Search one position with a trained run, and show the tree.")
    parser.add_argument("run", type=Path, help="a run's folder, or one of its checkpoints")
    parser.add_argument("--moves", default="", help='to the position, from the start: "4 0 8" or "x(1,1) o(0,0)"')
    parser.add_argument("--simulations", type=int, help="of the search (default: as trained)")
    parser.add_argument("--checkpoint", metavar="STEP", help="3000 or step-000003000 (default: the newest)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="where the page goes (default: RUN/tree.html)")
    parser.add_argument("--dot", type=Path, metavar="FILE", help="write the tree for Graphviz there")
    parser.add_argument("--depth", type=int, default=3, help="of the tree in the terminal (default 3)")
    parser.add_argument("--seed", type=int, default=0, help="of the game, where it has randomness of its own")
    options = parser.parse_args(arguments)
    for name, least in (("depth", 1), ("seed", 0), ("simulations", 1)):
        given = getattr(options, name)
        if given is not None and given < least:
            parser.error(f"--{name} {given}; expected at least {least}")
    from muzero import build
    from muzero.agent import Agent
    from muzero.play.position import Position, TreeNames
    from muzero.search import to_dot, to_html

    agent = Agent.load(checkpoint_of(options.run, options.checkpoint), options.simulations)
    games = build.games(agent.config, 1, training=False)
    position = Position(games, options.seed, options.moves)
    result = agent.search(position.now.observation, position.now.legal)
    names = TreeNames(result.tree, position.rules)
    facts = describe(agent, position, result, names)
    show(terminal(), facts, result, names, options.depth)
    games.close()
    page = options.html or home(options.run) / "tree.html"
    chosen, title = int(result.action[0]), f"Search tree of {agent.spec.name}"
    page.write_text(to_html(result.tree, 0, names, chosen, title=title, facts=facts), encoding="utf-8")
    print(f"the tree to unfold: {page}")
    if options.dot:
        options.dot.write_text(to_dot(result.tree, 0, names, chosen), encoding="utf-8")
        print(f"the tree for Graphviz: {options.dot}")
    return 0


def home(run: Path) -> Path:
    """A run's folder, also where one of its checkpoints was given."""
    return run.parent.parent if run.parent.name == "checkpoints" else run


def checkpoint_of(run: Path, step: str | None) -> Path:
    """What to load.

    Raises:
        CheckpointError: if the run has no such checkpoint; it lists those that there are.
    """
    from muzero.runs.checkpoint import CheckpointError

    folder = home(run) / "checkpoints"
    if step is None or not folder.is_dir():
        return run
    path = folder / (f"step-{int(step):09d}" if step.isdecimal() else step)
    if not path.is_dir():
        there = ", ".join(sorted(each.name for each in folder.glob("step-*")))
        raise CheckpointError(f"--checkpoint {step}: {folder} holds no {path.name}, only {there or 'nothing'}")
    return path


def describe(agent: Agent, position: Position, result: Result, names: TreeNames) -> dict[str, str]:
    """What was searched and what was chosen, as name: text; the policy is the improved one."""
    from muzero.planners.tree import improved_value

    settings = ", ".join(f"{key} = {value}" for key, value in vars(agent.player.planner).items())
    policy = result.policy[0]
    best = [int(action) for action in (-policy).argsort(kind="stable")[:POLICY] if policy[action] >= 0.001]
    return {
        "game": f"{agent.spec.name}, after {' '.join(position.played) or 'no moves'}",
        "position": position.text,
        "checkpoint": f"step {agent.step:,}",
        "planner": f"{agent.config.kind('planner')}: {settings}",
        "action": names(0, int(result.action[0])),
        "policy": ", ".join(f"{names(0, action)} {policy[action]:.1%}" for action in best)
        + f", worth {improved_value(result)[0]:+z.3f}",
    }


def show(console: Console, facts: dict[str, str], result: Result, names: TreeNames, depth: int) -> None:
    """Everything in the terminal: facts, the actions of the root, the principal variation, the upper tree."""
    table = Table.grid(padding=(0, 2))
    for key, text in facts.items():
        table.add_row(Text(key, style="dim"), Text(text))
    root, line = result.tree.node(0, 0), result.tree.principal_variation(0, int(result.action[0]))
    values = f"{root.raw_value:+z.3f} by the network, {root.value:+z.3f} by the mean of the simulations"
    table.add_row(Text("value", style="dim"), Text(values))
    table.add_row(Text("line", style="dim"), Text(" ".join(names(node.parent, node.action) for node in line)))
    console.print(table, actions(result, names), branches(result, {node.index for node in line}, names, depth))


def actions(result: Result, names: TreeNames) -> Table:
    """The legal actions of the root, the most visited first."""
    table = Table(title="actions")
    for column in ("action", "number", "visits", "prior", "q", "policy"):
        table.add_column(column, justify="left" if column == "action" else "right")
    tree, visits, policy = result.tree, result.visits[0], result.policy[0]
    prior = tree.prior(0, 0)
    legal = np.flatnonzero(np.isfinite(tree.prior_logits[0, 0])).tolist()
    legal.sort(key=lambda action: (-visits[action], -prior[action]))
    for action in legal[:ROWS]:
        q = f"{result.q[0, action]:+z.3f}" if visits[action] else ""
        cells = (str(action), f"{visits[action]:,}", f"{prior[action]:.1%}", q, f"{policy[action]:.1%}")
        table.add_row(Text(names(0, action)), *cells, style="bold" if action == result.action[0] else "")
    if len(legal) > ROWS:
        rest = legal[ROWS:]
        cells = ("", f"{visits[rest].sum():,}", f"{prior[rest].sum():.1%}", "", f"{policy[rest].sum():.1%}")
        table.add_row(Text(f"{len(rest)} more"), *cells, style="dim")
    return table


def branches(result: Result, line: set[int], names: TreeNames, depth: int) -> Drawing:
    """The most visited nodes as a tree; the principal variation is bold."""
    tree = result.tree
    shown = set(tree.excerpt(0, int(result.action[0]), most_nodes=BRANCHES)[0])
    root = tree.node(0, 0)
    drawing = Drawing(Text(f"{root.visits - 1:,} simulations"))
    waiting: list[tuple[Drawing, Node]] = [(drawing, root)]
    while waiting:
        branch, node = waiting.pop()
        for child in (tree.node(0, index) for index in node.children if index in shown):
            if child.depth <= depth:
                label = (
                    f"{names(child.parent, child.action)}  {child.visits:,} of {node.visits - 1:,}  q {child.q:+z.3f}"
                )
                label += f"  prior {child.prior:.1%}" + "  end" * child.over
                waiting.append((branch.add(Text(label, style="bold" if child.index in line else "")), child))
    return drawing


main = guarded(tree_command)
