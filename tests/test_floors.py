"""Imports only go down: each file may import files of lower floors, and alternatives never import each other."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "muzero"
FLOORS = [
    {
        "interfaces",
        "spelling",
        "parameters",
        "failpoints",
        "metrics",
        "memory",
        "stopping",
        "evaluations",
        "references",
        "provenance",
        "cli.outlet",
        "_tree",
        "_version",
    },
    {"sources", "segment_format"},
    {"config", "layers", "targets", "search.checks", "search.graph", "search.page", "search.running"},
    {"search.tree", "search.exploration", "folder"},
    {"search.policies", "search.sampled"},
    {"search"},
    {"inference.network"},
    {"inference.eager", "inference.onnx"},
    {"inference.simulation", "games.faults"},
    {"inference", "games.batched"},
    {"games.spaces"},
    {"players.perfect", "players.engine"},
    {"games.*", "models.*", "planners.*", "objectives.*", "players.*"},
    {"selfplay", "replay", "learner", "checkpoint", "segment_log", "matches", "seeds", "settings"},
    {"statistics", "gamefiles"},
    {"ratings", "oracle"},
    {"build", "saving", "experience", "orders"},
    {"evaluate", "progress", "snapshot"},
    {"actor", "examiner"},
    {"cluster.supervision", "cluster.session", "cluster.reaper", "cluster.publications"},
    {"cluster.remote"},
    {"cluster.crew"},
    {"crews"},
    {"train", "agent"},
    {"lineup"},
    {"arena", "report.collect"},
    {"report.charts", "report.page"},
    {"cluster.matches"},
    {"cli.common", "cli.position"},
    {"cli.options"},
    {"cli.matching"},
    {"cli.alone", "cli.examining", "cli.ladder"},
    {"cli.*", "benchmarks.*"},
]
# Within a floor, these may be used by their neighbours.
SHARED = {("config", "parameters"), ("config", "spelling"), ("parameters", "spelling")}


def floor(module):
    family = module.split(".")[0] + ".*"
    for number, names in enumerate(FLOORS):
        if module in names:
            return number
    return next(number for number, names in enumerate(FLOORS) if family in names)


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not name.endswith("__init__"):
            yield pytest.param(path, name, id=name)


def imports(path):
    """Modules of the package that a file imports, also inside functions, but not for type checking only."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "muzero":
            inside = (node.module or "").removeprefix("muzero").lstrip(".")
            for alias in node.names:
                full = f"{inside}.{alias.name}".lstrip(".")
                place = PACKAGE / full.replace(".", "/")
                is_module = place.with_suffix(".py").exists() or place.is_dir() or full == "_tree"
                yield full if is_module else inside
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("muzero.") for a in node.names if a.name.startswith("muzero."))


@pytest.mark.parametrize(("path", "name"), list(modules()))
def test_a_file_imports_only_lower_floors(path, name):
    for used in imports(path):
        if used and (name, used) not in SHARED:
            assert floor(used) < floor(name), f"{name} imports {used}, which is not below it"


def test_only_the_border_knows_of_pybind11():
    sources = (PACKAGE.parent / "csrc").glob("*.[hc]*")
    assert {path.name for path in sources if "pybind11" in path.read_text()} <= {"bindings.cpp", "checks.h"}


def test_the_package_loads_nothing_that_could_run_code_from_a_file():
    forbidden = ("pickle", "torch.load", "allow_pickle=True", "eval(", "exec(", "shell=True", "yaml.load")
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Call, ast.Import, ast.ImportFrom)):
                text = ast.unparse(node)
                for word in forbidden:
                    bare = word.endswith("(") and not text.startswith(word)
                    assert bare or word not in text, f"{path.name}:{node.lineno} uses {word}"


def test_importing_the_package_imports_neither_ray_nor_an_environment(tmp_path):
    import subprocess
    import sys

    code = "import sys, muzero.cli.train, muzero.build, muzero.training.loop; print(sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    loaded = result.stdout
    for package in ("'ray'", "'ale_py'", "'pyspiel'", "'minatar'", "'bitbully'"):
        assert package not in loaded
