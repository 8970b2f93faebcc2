"""Draw the pictures of the pages: `python docs/draw_pictures.py [curves] [thoughts] [serve]`.

The curves of results.md are those that trained agents store; the picture of the first page is a search of one of them;
that of muzero-serve is its page in Chromium.
"""

import shutil
import sys
import threading
from pathlib import Path

import pyspiel
from matplotlib.figure import Figure

from muzero import Agent
from muzero.interactive.live_game import LiveGame
from muzero.interactive.strength import Set
from muzero.report.charts import COLOURS, evaluated, png
from muzero.report.collect import collect
from muzero.web.server import listening, prepared
from muzero.web.tables import Tables

HERE = Path(__file__).parent
CURVES = ("CartPole-v1", "tic_tac_toe", "breakout", "asterix", "space_invaders")
MOVES = (5, 6, 3, 6, 2, 3, 3, 6, 0, 3, 2, 1)  # of Connect 4: the network blocks, the search finds the win
DISCS = {"x": "#c2571a", "o": "#1f5fa8", ".": "#eef1f4"}


def curves() -> None:
    """One picture for each agent."""
    for name in CURVES:
        runs = collect([HERE.parent / "zoo" / name])
        drawn = evaluated(runs, lambda each: each.step, "environment steps")
        drawn.axes[0].set_title(f"{runs[0].game}: greedy play while it learned", loc="left", fontsize=10)
        (HERE / "pictures" / f"curve-{name}.png").write_bytes(png(drawn))


def thoughts() -> None:
    """A board of Connect 4, and above each column what network and search think of a disc there."""
    game = LiveGame(Agent.load("zoo/connect_four", simulations=64))
    for move in MOVES:
        game.play(move)
    history = "\n".join(map(str, MOVES))
    found, made = game.think(), Figure(figsize=(5.6, 4.6), dpi=130, layout="constrained")
    bars, board = made.subplots(2, 1, sharex=True, height_ratios=(1, 1.9))
    for move in found.moves:
        for place, share, colour in ((-0.19, move.prior, "#b9c1c9"), (0.19, move.policy, COLOURS[0])):
            bars.bar(move.action + place, share, 0.36, color=colour)
        value = "not visited" if move.value is None else f"{move.value:+.2f}"
        bars.annotate(value, (move.action, max(move.prior, move.policy)), (0, 3), textcoords="offset points",
                      ha="center", fontsize=9)  # fmt: skip
    bars.bar(0, 0, color="#b9c1c9", label="the network proposes")
    bars.bar(0, 0, color=COLOURS[0], label=f"after {found.simulations} simulations; its value above")
    bars.legend(frameon=False, fontsize=9, loc="upper left")
    bars.set_ylim(0, 1.25)
    bars.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    bars.spines[["top", "right"]].set_visible(False)
    bars.set_title(
        "Orange to move: the network would block column 6, the search wins",
        loc="left",
        fontsize=10,
    )
    for height, line in enumerate(reversed(str(pyspiel.load_game("connect_four").deserialize_state(history)).split())):
        board.scatter(range(7), [height] * 7, s=520, c=[DISCS[mark] for mark in line], edgecolors="#ccd2d8")
    board.set(xlim=(-0.6, 6.6), ylim=(-0.6, 5.6), yticks=[], xticks=range(7))
    board.spines[:].set_visible(False)
    (HERE / "pictures" / "thoughts.png").write_bytes(png(made))


def serve() -> None:
    """The page of muzero-serve after three moves of each side, with the expected line of the tree unfolded."""
    from playwright.sync_api import expect, sync_playwright

    ready = "#status[aria-busy=false]"
    agent = Agent.load("zoo/connect_four", simulations=32)
    tables, opened = Tables(Set(agent, 0.0)), listening(0)
    server, address = prepared(tables, "zoo/connect_four", opened)
    thread = threading.Thread(target=server.run, args=([opened],))
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 1280, "height": 844})
            tab.goto(address)
            for moves in (2, 4, 6):
                tab.wait_for_selector(ready)
                tab.locator(".square.can").first.click()
                expect(tab.locator(".piece")).to_have_count(moves)
            tab.wait_for_selector(ready)
            tab.keyboard.press("h")
            tab.locator(".share").first.wait_for()
            tab.get_by_text("Unfold the expected line").click()
            tab.locator(".row.expected[aria-level='5']").wait_for()
            tab.wait_for_load_state("networkidle")
            tab.screenshot(path=HERE / "pictures" / "serve.png", full_page=True)
            browser.close()
    finally:
        server.should_exit = True
        thread.join()
        tables.close()


if __name__ == "__main__":
    drawn = {"curves": curves, "thoughts": thoughts, "serve": serve}
    for name in sys.argv[1:] or drawn:
        drawn[name]()
