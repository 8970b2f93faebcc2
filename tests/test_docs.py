"""The documentation is true: examples run and print what they say, links lead somewhere, what is named exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
PROGRAMS = {path: path.read_text() for path in sorted((ROOT / "examples").glob("*.py"))}
EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    if page.parent != ROOT  # those of the README need a trained run: see test_docs_commands.py
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))
    if code not in PROGRAMS.values()  # which test_examples.py runs
]
SOURCES = [path for folder in ("muzero", "tests", "csrc", "examples") for path in sorted((ROOT / folder).rglob("*"))]
LONGEST = 120
# A file, named in code marks: with a folder of this repository in front.
NAMED = re.compile(r"`((?:muzero|csrc|tests|docs|configs|examples|\.ci)/[\w./-]*[\w/])`")


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_prints_what_its_comments_say(code, capsys):
    exec(compile(code, "example", "exec"), {})
    said = re.findall(r"^print\(.*\)  # (.*?)(?:: .*)?$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_page_shows_or_names_every_example(program):
    name = f"examples/{program.name}"
    pages = [page.read_text() for page in PAGES if name in page.read_text()]
    assert pages, f"no page names {name}"
    for shown in (text.split(f"<!-- {name} -->\n", 1)[1] for text in pages if f"<!-- {name} -->" in text):
        assert shown.startswith(f"```python\n{PROGRAMS[program]}```\n"), f"a page shows another {name}: copy the file"


def test_every_test_that_the_documentation_names_exists():
    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", page.read_text())}
    there = {
        name
        for path in Path(__file__).parent.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 50 and named <= there, sorted(named - there)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text):
        if re.match(r"\w+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if heading:
            assert heading in headings(file), f"{page.name} links to {target}"


def headings(page):
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page):
    for name in NAMED.findall(page.read_text()):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_no_line_is_longer_than_the_limit():
    files = PAGES + [path for path in SOURCES if path.suffix in (".py", ".pyi", ".h", ".cpp")]
    long = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LONGEST
    ]
    assert not long, "\n".join(long)


def test_the_version_stands_in_one_place():
    version = re.search(r'__version__ = "(.+)"', (ROOT / "muzero" / "__init__.py").read_text())[1]
    for path in [ROOT / "pyproject.toml", ROOT / "CMakeLists.txt", *SOURCES]:
        if path.suffix in (".py", ".toml", ".txt", ".cpp", ".h") and path.name != "__init__.py":
            assert f'"{version}"' not in path.read_text(), f"{path} repeats the version"
