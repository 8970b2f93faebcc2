"""The examples in the documentation run, and print what they say."""

import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parent.parent / "docs").glob("*.md"))
EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_prints_what_its_comments_say(code, capsys):
    exec(compile(code, "example", "exec"), {})
    said = re.findall(r"^print\(.*\)  # (.*?)(?:: .*)?$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said


def test_every_test_that_the_documentation_names_exists():
    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", page.read_text())}
    there = {
        name
        for path in Path(__file__).parent.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 50 and named <= there, sorted(named - there)
