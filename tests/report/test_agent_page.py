"""The page of a trained agent: what it says of a run is text, whatever the run says."""

import json
import shutil
from html.parser import HTMLParser

import pytest

from muzero.report.agent_page import code, page, plain

HOSTILE = "`<script>alert(1)</script>`` | [x](javascript:alert(1)) ![y](http://a.example) <b>\u202e \n# title *no* \\"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))

    def handle_data(self, data):
        self.text += data


def rendered(text):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    return Tags(markdown.render(text))


@pytest.mark.parametrize("written", [plain, code])
def test_texts_of_a_run_are_shown_and_nothing_else(written):
    whole = rendered(f"| a | b |\n|---|---|\n| {written(HOSTILE)} | end |\n")
    assert {tag for tag, _ in whole.found} <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert [tag for tag, _ in whole.found].count("td") == 2
    for part in ("<script>alert(1)</script>", "[x](javascript:alert(1))", "*no*", "<b>"):
        assert part in whole.text
    assert "\u202e" not in whole.text


def test_a_hostile_run_has_a_harmless_page(tmp_path):
    folder = tmp_path / "agent"
    shutil.copytree("zoo/tic_tac_toe", folder)
    for name, key in (("commands.jsonl", "command"), ("evaluations.jsonl", "name")):
        rows = [json.loads(line) | {key: HOSTILE} for line in (folder / name).read_text().splitlines()]
        (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    entry = json.loads((folder / "entry.json").read_text())
    entry["results"][0]["command"] = HOSTILE
    (folder / "entry.json").write_text(json.dumps(entry))
    plain_page, whole = rendered(page(tmp_path / "agent", "zoo/agent")), rendered(page(folder, HOSTILE))
    assert "alert(1)" in plain_page.text and "alert(1)" in whole.text
    allowed = {"h1", "p", "code", "table", "thead", "tbody", "tr", "th", "td", "pre"}
    for found in (plain_page, whole):
        assert {tag for tag, _ in found.found} <= allowed
