"""The documentation is a site without a broken link, which loads nothing from other hosts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from muzero.cli.explain import settings

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site; warnings (a link or an anchor that leads nowhere, a page without a place) are errors."""
    folder = tmp_path_factory.mktemp("site")
    # A process of its own: Sphinx imports modules again.
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(DOCS), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=DOCS.parent, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_has_a_place_in_the_navigation():
    listed = re.findall(r"^[\w/-]+$", "".join(re.findall(r"```{toctree}\n(.*?)```", index(), re.DOTALL)), re.MULTILINE)
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md") if page.stem != "index"]
    missing, lost = sorted({*pages} - {*listed}), sorted({*listed} - {*pages})
    assert not missing, f"docs/index.md lists all pages in its toctrees, but not {', '.join(missing)}: add them there"
    assert not lost, f"docs/index.md lists {', '.join(lost)}, and there is no such page"
    assert len(listed) == len({*listed}), "docs/index.md lists a page twice"


def index():
    return (DOCS / "index.md").read_text()


def test_the_site_loads_nothing_from_other_hosts(site):
    pages = [*site.rglob("*.html")]
    assert len(pages) > 25
    for page in pages:
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", page.read_text()):
            assert not re.search(r'(?:src|href)="(?:https?:)?//', tag), f"{page.name} loads {tag}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text()), sheet.name


def test_every_setting_is_described(site):
    text = (site / "settings.html").read_text()
    assert "all settings" not in text
    for one in settings():
        assert f'<span class="pre">{one.name}</span>' in text, one.name


def test_the_reference_describes_the_fields_of_records(site):
    text = (site / "reference" / "interfaces.html").read_text()
    assert "[B, *shape of an action]" in text  # of the field of a record, from the comment beside it
    assert "Alias for field number" not in text


def test_pages_show_the_programs(site):
    programs = {"network": "GatedModel", "planner": "RolloutPlanner", "search-rule": "LowerBoundPlanner"}
    for name, shown in (programs | {"environment": "Courier"}).items():
        assert f'<span class="nc">{shown}</span>' in (site / f"own-{name}.html").read_text()
