"""A tree as one HTML page that unfolds: no scripts, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape as escaped
from types import MappingProxyType

from muzero.search.tree import ActionName, Node, Tree, number_of

Allowed = Callable[[int, Sequence[int]], list[int]]
"""allowed(node, actions): those of the actions that the rules allow at a node."""

NOTHING: Mapping[str, str] = MappingProxyType({})
DEEPEST = 200  # levels drawn: browsers nest 512 elements at most
UNTRIED = 12  # names of actions without visits that are listed at a node


def all_of(node: int, actions: Sequence[int]) -> list[int]:
    """Where rules are not consulted: a model imagines all actions at each node but the root."""
    return list(actions)


def escape(text: str) -> str:
    """Text for a page: no HTML, and no marks that turn the text behind them around."""
    return escaped("".join(letter for letter in text if letter.isprintable() or letter == "\n"))


COLUMNS = {
    "action": "as it is called at its node",
    "visits": "simulations that went this way",
    "share": "of the visits of all actions of the node above",
    "q": "reward + discount * value: what the action is worth to the player who takes it",
    "value": "mean over the visits, for the player to move after the action",
    "network": "the network's own value there, without search",
    "prior": "the network's probability of the action",
    "reward": "of the action, to the player who takes it",
    "discount": "negative where the turn passes to the opponent, near 0 where the game ends",
}

STYLE = """
:root { color-scheme: light dark; --text: #1f2730; --dim: #66727f; --page: #fff; --rule: #dfe4e9; --band: #f5f7f9;
  --visits: #b9d3f0; --prior: #d9c9ee; --line: #fff1d6; --mark: #b45309; --good: #15703a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #dbe2e9; --dim: #8f9ba8; --page: #14181d; --rule: #2b333c;
  --band: #1b2127; --visits: #264a73; --prior: #4a3768; --line: #3a2d14; --mark: #f0a94a; --good: #6fcf97;
  --bad: #f2867d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 96rem; color: var(--text);
  background: var(--page); font: 14px/1.45 system-ui, sans-serif; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 0 0 1rem; }
dt { color: var(--dim); }
dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; min-width: 0; }
dd.block { font-family: ui-monospace, monospace; line-height: 1.2; }
p { max-width: 60rem; }
p.note, p.rest { color: var(--dim); }
p.rest { margin: 0; padding: .15rem .5rem .15rem calc(1.6rem + min(var(--d), 24) * .9rem); font-size: 12px; }
a { display: inline-block; max-width: 100%; overflow-wrap: anywhere; margin-right: .8rem; color: inherit;
  text-decoration-color: var(--mark); }
.row { display: grid; align-items: center; padding: .1rem .5rem; border-bottom: 1px solid var(--rule);
  grid-template-columns: minmax(12rem, 1fr) 4.5rem 6rem repeat(3, 4.8rem) 6rem repeat(2, 4.8rem); column-gap: .6rem; }
.row > * { text-align: right; font-variant-numeric: tabular-nums; }
.row > :first-child { text-align: left; overflow-wrap: anywhere; padding-left: calc(min(var(--d), 24) * .9rem);
  background: repeating-linear-gradient(90deg, var(--rule) 0 1px, transparent 1px .9rem) .3rem 0 /
    calc(min(var(--d), 24) * .9rem) 100% no-repeat; }
.head { position: sticky; top: 0; z-index: 1; background: var(--band); color: var(--dim); --d: 0; }
.head > * { cursor: help; }
summary { list-style: none; cursor: pointer; }
summary::-webkit-details-marker { display: none; }
.fold::before { content: "\\25B8"; display: inline-block; width: 1.1rem; color: var(--dim); }
details[open] > summary .fold::before { content: "\\25BE"; }
.leaf .name { display: inline-block; padding-left: 1.1rem; }
.row:hover { background: var(--band); }
.row:target, :target > summary { outline: 2px solid var(--mark); }
.pv { background: var(--line); font-weight: 600; box-shadow: inset 3px 0 var(--mark); }
.bar { padding: 0 .3rem; border-radius: 2px; background: linear-gradient(var(--tint), var(--tint)) 0 / var(--w) 100%
  no-repeat; }
.visits { --tint: var(--visits); }
.prior { --tint: var(--prior); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.us, .them, .gone { display: inline-block; width: 1.1rem; margin-right: .4rem; border-radius: 3px; text-align: center;
  font: 600 12px/1.1rem ui-monospace, monospace; color: var(--page); background: var(--good); }
.them { background: var(--bad); }
.gone { background: var(--dim); }
@media (max-width: 62rem) { /* without value, network, reward and discount */
  .row { grid-template-columns: minmax(7rem, 1fr) 3.2rem 3.8rem 3.6rem 3.8rem; column-gap: .3rem; }
  .row > :nth-child(n+5):not(:nth-child(7)) { display: none; }
  .row > :first-child { padding-left: calc(min(var(--d), 12) * .5rem); background-size: 0; }
}
@media (max-width: 40rem) { /* nor the prior */
  body { padding: .8rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dt { margin-top: .4rem; }
  .row { grid-template-columns: minmax(7rem, 1fr) 2.6rem 3.8rem 3.6rem; }
  .row > :nth-child(7) { display: none; }
}
em { margin-left: .5rem; padding: 0 .35rem; border: 1px solid; border-radius: 3px; font: 11px sans-serif;
  color: var(--dim); }
"""


def to_html(
    tree: Tree,
    row: int = 0,
    action_name: ActionName = number_of,
    action: int | None = None,
    least_visits: int = 1,
    most_nodes: int = 5000,
    title: str = "Search tree",
    facts: Mapping[str, str] = NOTHING,
    allowed: Allowed = all_of,
) -> str:
    """The tree as one HTML page that a person can open and unfold; it needs neither scripts nor a network.

    Args:
        tree, row, action_name, action, least_visits, most_nodes: as for `to_dot`.
        title: of the page.
        facts: name and text of what was searched, shown at the top.
        allowed: which of the actions without visits are named; the others are counted as not legal.
    """
    shown, line = tree.excerpt(row, action, least_visits, most_nodes)
    page = _Page(
        tree, row, action_name, allowed, [index for index in shown if tree.node(row, index).depth <= DEEPEST], line
    )
    # The policy forbids the browser to load anything, even if the name of an action should contain HTML.
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{_facts(facts)}
{page.introduction()}
<main>
{"".join(page.lines())}</main>
</body>
</html>
"""


def _facts(facts: Mapping[str, str]) -> str:
    entries = (
        f"<dt>{escape(key)}</dt><dd{' class=block' * (chr(10) in text)}>{escape(text)}</dd>\n"
        for key, text in facts.items()
    )
    return f"<dl>\n{''.join(entries)}</dl>"


class _Page:
    """The tree of a page, and how its rows are written."""

    def __init__(
        self, tree: Tree, row: int, name: ActionName, allowed: Allowed, shown: list[int], line: list[int]
    ) -> None:
        self.tree, self.row, self.name, self.allowed = tree, row, name, allowed
        self.shown, self.line = set(shown), line
        self.highlighted = {0, *line}
        self.made = tree.size(row)
        self.two_player = bool((tree.discount[row] < 0).any())

    def introduction(self) -> str:
        """The text above the rows: values, principal variation, nodes left out, how to read the rows."""
        root = self.tree.node(self.row, 0)
        moves = (self.tree.node(self.row, index) for index in self.line)
        variation = " ".join(f'<a href="#n{move.index}">{self.label(move)}</a>' for move in moves)
        signs = (
            f" {_sign(1)}is a move of the player who is to move at the top, {_sign(-1)}one of the opponent."
            if self.two_player
            else ""
        )
        left_out = ""
        if len(self.shown) < self.made:
            least = min(self.tree.visits[self.row, index] for index in self.shown)
            left_out = (
                f"<p><strong>{self.made - len(self.shown):,} of {self.made:,} nodes are left out</strong>, those with "
                f"the fewest visits and those below {DEEPEST} moves; every node shown has at least {least:,}.</p>\n"
            )
        return f"""<p>Value at the top: <strong>{root.raw_value:+z.3f}</strong> by the network,
<strong>{root.value:+z.3f}</strong> by the mean of {root.visits - 1:,} simulations.</p>
<p>Principal variation: {variation or "none"}</p>
{left_out}<p class="note">Click a row to unfold it. A value is seen by the player to move at its node; q and reward by
the player who takes the action.{signs} The principal variation, the line of most visits, is highlighted and
open.</p>"""

    def lines(self) -> Iterator[str]:
        """The rows, depth first; without recursion, because a tree can be as deep as it is large."""
        heads = (f'<span title="{escape(meaning)}">{column}</span>' for column, meaning in COLUMNS.items())
        yield f'<div class="row head">{"".join(heads)}</div>\n'
        waiting: list[int | str] = [0]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                yield item
                continue
            node = self.tree.node(self.row, item)
            marks = f'id="n{item}" style="--d:{node.depth}"'
            pv = " pv" * (item in self.highlighted)
            if not node.children:
                yield f'<div class="row leaf{pv}" {marks}>{self.cells(node)}</div>\n'
                continue
            opened = " open" * (item in self.highlighted)
            yield f'<details {marks}{opened}><summary class="row{pv}">{self.cells(node)}</summary>\n'
            waiting.append(self.rest(node) + "</details>\n")
            waiting += [child for child in reversed(node.children) if child in self.shown]

    def label(self, node: Node) -> str:
        """Who moves, and the name of the move."""
        if node.parent < 0:
            return "the position searched"
        mover = _sign(self.tree.node(self.row, node.parent).turn) if self.two_player else ""
        return mover + escape(self.name(node.parent, node.action))

    def cells(self, node: Node) -> str:
        """The columns of a node's row as HTML."""
        end = '<em title="by its discount, the game ends with this action">end</em>' if node.over else ""
        fold = "fold" if node.children else "name"
        first = f'<span><span class="{fold}"></span>{self.label(node)}{end}</span><span>{node.visits:,}</span>'
        values = f"{_number(node.value)}{_number(node.raw_value)}"
        if node.parent < 0:
            return f"{first}<span></span><span></span>{values}<span></span><span></span><span></span>"
        share = node.visits / max(1, int(self.tree.visits[self.row, node.parent]) - 1)
        return (
            f"{first}{_bar('visits', share)}{_number(node.q)}{values}{_bar('prior', node.prior)}"
            f"{_number(node.reward)}<span>{node.discount:+z.2f}</span>"
        )

    def rest(self, node: Node) -> str:
        """A line about the actions of a node that are not shown."""
        hidden = [child for child in node.children if child not in self.shown]
        untried = self.tree.untried(self.row, node.index)
        notes = []
        if hidden:
            visits = int(self.tree.visits[self.row, hidden].sum())
            notes.append(f"{_count(len(hidden), 'action')} with {_count(visits, 'visit')} in all left out")
        if untried:
            notes.append(self.never_tried(node.index, untried))
        text = "; ".join(notes)
        return f'<p class="rest" style="--d:{node.depth}">{text}</p>' if notes else ""

    def never_tried(self, node: int, untried: list[tuple[int, float]]) -> str:
        """What is said of the actions without visits: how many, their prior, the names of those that can be played."""
        allowed = self.allowed(node, [action for action, _ in untried])
        names = ", ".join(escape(self.name(node, action)) for action in allowed[:UNTRIED])
        names += ", …" * (len(allowed) > UNTRIED)
        forbidden = len(untried) - len(allowed)
        illegal = "" if not forbidden else f", {forbidden} of them not legal" if allowed else ", not legal"
        prior = sum(prior for _, prior in untried)
        return f"{_count(len(untried), 'action')} never tried{illegal}, prior {prior:.1%}" + (
            f": {names}" if names else ""
        )


def _sign(turn: int) -> str:
    kind, sign = {1: ("us", "+"), -1: ("them", "−")}.get(turn, ("gone", "·"))  # noqa: RUF001 (a minus sign)
    return f'<span class="{kind}">{sign}</span>'


def _number(value: float) -> str:
    text = f"{value:+z.3f}"
    kind = " class=good" if value >= 0.0005 else " class=bad" if value <= -0.0005 else ""
    return f"<span{kind}>{text}</span>"


def _bar(kind: str, share: float) -> str:
    return f'<span class="bar {kind}" style="--w:{share:.0%}">{share:.1%}</span>'


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
