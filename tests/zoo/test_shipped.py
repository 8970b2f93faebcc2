"""The trained agents of this repository: small, harmless, as their pages say, and as strong as their figures say."""

import shlex
import warnings
from pathlib import Path

import pytest

from muzero import build
from muzero.agent import Agent
from muzero.cli.zoo import MOST_BYTES, evaluated
from muzero.config import merge, read_layer
from muzero.report.agent_page import page
from muzero.report.collect import collect
from muzero.runs import checkpoint, zoo
from muzero.runs.folder import RunFolder
from muzero.runs.trust import dangers
from muzero.util.provenance import machine, versions

ROOT = Path(__file__).parents[2]
AGENTS = sorted(path for path in (ROOT / "zoo").iterdir() if path.is_dir())
NAMES = [f"zoo/{path.name}" for path in AGENTS]
AFFORDABLE = 10  # CPU seconds that a command took, for it to be repeated here
PACKAGES = ("torch", "onnxruntime", "numpy")  # that may round differently from version to version
TOLERANCE = 0.02  # by which shares, counts and scores may differ on another machine


def entry(name):
    return checkpoint.parse(RunFolder(ROOT / name).entry)


RESULTS = [
    pytest.param(name, result, id=result["command"].removeprefix("muzero-eval "))
    for name in NAMES
    for result in entry(name)["results"]
    if result["cpu_seconds"] <= AFFORDABLE
]


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_every_folder_of_the_zoo_is_an_agent_that_is_found_and_repeated():
    assert set(NAMES) <= set(zoo.names()) and zoo.SHIPPED == ROOT / "zoo"
    assert {name for name in NAMES if any(name == result.values[0] for result in RESULTS)} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_is_small_harmless_and_whole(name):
    (only,) = checkpoint.listed(RunFolder(Path(name)).checkpoints)
    files = {path.name: path.stat().st_size for path in only.iterdir()}
    assert files.keys() == {"MANIFEST.json", "model.safetensors", "state.json"}
    assert files["model.safetensors"] <= MOST_BYTES
    assert sum(path.stat().st_size for path in Path(name).rglob("*")) <= MOST_BYTES + 200_000
    assert not dangers(merge([read_layer(RunFolder(Path(name)).config)], build.SCHEMA))
    with warnings.catch_warnings(action="error"):
        agent = Agent.load(name)
    assert agent.config.table("run")["game"] == agent.spec.name


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_the_data_says_and_where_it_comes_from(name):
    assert (ROOT / name / "README.md").read_text() == page(ROOT / name, name)
    (run,) = collect([ROOT / name])
    assert not run.problems and len(run.metrics) >= 10 and len(run.evaluations) >= 5
    for note in [*run.commands, entry(name)["evaluated"]]:
        assert note["commit"] and not note["commit"].endswith("-dirty")


def kind(where):
    """What has to be the same for figures to be the same: processor and packages."""
    computer = [where["machine"].get(each) for each in ("processor", "instructions")]
    return computer + [where["versions"].get(each) for each in PACKAGES]


@pytest.mark.parametrize(("name", "result"), RESULTS)
def test_a_published_command_repeats_its_figures(name, result):
    """Exactly, on the same kind of processor with the same packages."""
    found = evaluated(shlex.split(result["command"])[1:])["figures"]
    expected = result["figures"]
    if kind(entry(name)["evaluated"]) == kind({"machine": machine(), "versions": versions()}):
        assert found == expected
        return
    count = expected.get("lines") or expected.get("games") or 1
    for key, value in expected.items():
        allowed = TOLERANCE * (count if isinstance(value, int) else 1)
        assert found[key] == pytest.approx(value, rel=TOLERANCE, abs=allowed), key
