"""The page in a headless browser: it plays, unfolds the tree, escapes hostile texts, and asks nobody else."""

import shutil

import pytest
from served_page import served

from muzero.agent import Agent
from muzero.games.board_rules import BoardRules
from muzero.interactive.strength import Set

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = "<img src=x onerror=document.title='taken'>"
TURNED = "\u202e\u2067"  # marks that turn the text behind them around
PATIENCE = 60_000  # milliseconds: a busy machine is slow, not wrong
READY = "#status[aria-busy=false]"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: apt-get install chromium")


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A tab, and everything that must not happen in it."""

    def __init__(self, browser, address, width=1280):
        self.tab = browser.new_context(viewport={"width": width, "height": 844}).new_page()
        self.tab.set_default_timeout(PATIENCE)
        self.faults, self.asked = [], []
        self.tab.on("console", lambda said: self.faults.append(said.text))
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(address)
        self.tab.wait_for_selector(READY)

    def finish(self, origin):
        assert self.faults == []
        assert self.asked and all(url.startswith(f"{origin}/") for url in self.asked)
        self.tab.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_game_is_played_and_its_tree_unfolded(chromium, page, width):
    from playwright.sync_api import expect

    watched = Watched(chromium, page.address, width)
    tab = watched.tab
    assert "token" not in tab.url
    pieces, rows = tab.locator(".piece"), tab.locator("#tree .row[data-node]")
    for count in (2, 4):
        tab.locator(".square.can").first.click()
        expect(pieces).to_have_count(count)
    expect(tab.locator(".square.last")).to_have_count(1)
    expect(tab.locator("#table tbody tr.chosen")).to_have_count(1)
    folded = tab.locator("#tree .row[aria-level='1'][aria-expanded=false]")
    folded.first.focus()
    tab.keyboard.press("ArrowRight")
    tab.locator("#tree .row[aria-level='2']").first.wait_for()
    assert rows.count() > tab.locator("#tree .row[aria-level='1']").count()
    tab.keyboard.press("ArrowLeft")
    expect(tab.locator("#tree .row[aria-level='2']")).to_have_count(0)
    tab.keyboard.press("h")
    tab.locator(".share").first.wait_for()
    tab.keyboard.press("u")
    expect(pieces).to_have_count(2)
    tab.reload()
    expect(pieces).to_have_count(2)  # the tab keeps its game
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    watched.finish(page.origin)


def test_a_game_is_begun_by_keys_and_watched_to_its_end(chromium, page):
    from playwright.sync_api import expect

    watched = Watched(chromium, page.address)
    tab = watched.tab
    tab.keyboard.press("n")
    tab.get_by_label("The agent plays both sides; I watch").check()
    tab.get_by_label("Strength", exact=True).select_option("another number of simulations")
    tab.get_by_label("Simulations for each move").fill("2")
    tab.keyboard.press("Enter")
    tab.locator("#speed").select_option("fast")
    tab.keyboard.press("p")
    tab.get_by_text("after 9 moves").wait_for()
    expect(tab.locator("#chart circle")).to_have_count(9)
    tab.locator("#played button").nth(3).click()
    expect(tab.locator(".piece")).to_have_count(3)
    watched.finish(page.origin)


def test_squares_are_reached_by_keys(chromium, page):
    watched = Watched(chromium, page.address)
    tab = watched.tab
    tab.locator(".square[tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        tab.keyboard.press(key)
    tab.wait_for_selector(READY)
    assert tab.locator(".square[data-square='4'] .piece").inner_text() == "×"  # noqa: RUF001 (a sign, not a letter)
    watched.finish(page.origin)


def test_an_environment_is_played_by_keys(chromium):
    from playwright.sync_api import expect

    with served(Set(Agent.load("zoo/breakout", simulations=8), 0.0), "zoo/breakout") as page:
        watched = Watched(chromium, page.address)
        tab = watched.tab
        tab.keyboard.press("n")
        tab.get_by_label("I play", exact=True).check()
        tab.keyboard.press("Enter")
        tab.get_by_text("Your move.").wait_for()
        played = tab.locator("#played li")
        for number, (key, name) in enumerate([("ArrowLeft", "left"), ("Enter", "noop"), ("3", "right")], 1):
            tab.keyboard.press(key)
            expect(played.last).to_have_text(f"{number}.{name}")
        tab.keyboard.press("h")
        tab.locator("#tree .row[aria-expanded=false]").first.click()
        tab.wait_for_selector("#tree .row[aria-level='2']")
        tab.keyboard.down("ArrowLeft")  # in the tree it folds a row
        tab.wait_for_selector("#tree .row[aria-level='2']", state="detached")
        tab.keyboard.up("ArrowLeft")
        expect(played).to_have_count(3)
        tab.locator("#status").click()
        tab.keyboard.down("ArrowLeft")
        expect(played.nth(4)).to_have_text("5.left")  # for as long as it is held
        tab.keyboard.up("ArrowLeft")
        assert tab.locator("#scene img").evaluate("image => image.naturalWidth") == 10
        watched.finish(page.origin)


def test_hostile_names_and_positions_are_text(chromium, tmp_path, monkeypatch):
    folder = tmp_path / "<script>alert(1)<" / "script>"
    shutil.copytree("zoo/tic_tac_toe", folder)
    monkeypatch.setattr(BoardRules, "name", lambda rules, action: f"{HOSTILE}{TURNED}{action}{'long' * 200}")
    monkeypatch.setattr(BoardRules, "player", lambda rules, number: f"{HOSTILE}{number}")
    monkeypatch.setattr(BoardRules, "draw", lambda rules: f"{HOSTILE}\n</pre><script>document.title = 'taken'</script>")
    with served(Set(Agent.load(folder, simulations=32), 0.0), str(folder)) as page:
        watched = Watched(chromium, page.address, 390)
        tab = watched.tab
        tab.locator("#legal button").first.click()
        tab.wait_for_selector("#table tbody tr.chosen")
        tab.locator("#tree .row[aria-expanded=false]").first.click()
        tab.wait_for_selector("#tree .row[aria-level='2']")
        assert "<script>alert(1)" in tab.locator("#agent").inner_text()
        assert tab.locator("pre").inner_text().startswith(HOSTILE)
        assert HOSTILE in tab.locator("#status").inner_text()
        text = tab.locator("body").inner_text()
        assert HOSTILE in text and "longlong" in text and not set(TURNED) & set(text)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        assert tab.locator("img, pre script").count() == 0 and tab.title().startswith(str(tmp_path)[:4])
        watched.finish(page.origin)


def test_what_goes_wrong_is_said_in_words(chromium, player):
    with served(player) as page:
        watched = Watched(chromium, page.address)
        page.tables.close()
        watched.tab.locator(".square.can").first.click()
        watched.tab.get_by_text("this game is not kept any more").wait_for()
    watched.tab.keyboard.press("h")
    watched.tab.get_by_text("muzero-serve does not answer").wait_for()
    watched.tab.context.close()
