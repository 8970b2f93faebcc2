"""Imports go down, folder by folder, and form no cycle; and what only one place may know of is known there alone."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "muzero"
FLOORS = """
floor 0   actions  util  _tree
floor 1   interfaces  config  search
floor 2   games  models  inference  runs
floor 3   planners  objectives  players  learning  data  report  trials
floor 4   play
floor 5   build
floor 6   agent
floor 7   evaluation  diagnostics  interactive
floor 8   actors  web
floor 9   cluster
floor 10  training
floor 11  cli
floor 12  benchmarks
"""
FLOOR_OF = {folder: number for number, line in enumerate(FLOORS.split("\n")[1:-1]) for folder in line.split()[2:]}
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py*"))
    if path.suffix in (".py", ".pyi")
}


def imports(path):
    """Modules of the package that a file imports: everywhere, also inside functions and for type checking only."""
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path} has a relative import"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "muzero":
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                yield name if name in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "muzero")


USED = {module: set(imports(path)) for module, path in MODULES.items()}


def folder(module):
    return module.split(".")[1]


# muzero/__init__.py stands above the map: nothing in the package imports it, and it offers the agent.
@pytest.mark.parametrize("module", [module for module in MODULES if module != "muzero"])
def test_a_file_imports_its_own_folder_and_lower_floors(module):
    for used in USED[module]:
        assert used != "muzero", f"{module} imports muzero itself"
        below = FLOOR_OF[folder(used)] < FLOOR_OF[folder(module)]
        assert below or folder(used) == folder(module), f"{module} imports {used}, which is not below it"


def test_no_imports_form_a_cycle():
    try:
        list(TopologicalSorter(USED).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_alternatives_do_not_import_each_other():
    """Within a folder of alternatives, files import what these share, and only the registry imports them all."""
    shared = {
        "games": {
            "action_views",
            "batched",
            "board_rules",
            "checks",
            "coordinates",
            "errors",
            "faults",
            "gymnasium_game",
            "one_game",
            "spaces",
            "symmetries",
            "torch_settings",
            "turns",
            "vertices",
        },
        "players": {"perfect", "engine"},
        "models": {"blocks", "ensemble_heads", "heads", "latent", "value_prefix"},
        "objectives": {"latents", "targets"},
        "planners": {"doubt", "imagining", "searching", "sequences"},
    }
    for module, used in USED.items():
        for other in used:
            kind, _, name = other.removeprefix("muzero.").partition(".")
            if kind in shared and folder(module) == kind and name and not module.endswith(".registry"):
                assert name in shared[kind], f"{module} imports {other}"


def test_the_documentation_quotes_the_floors():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    assert re.search(r"^```\n(floor 0 .*?)^```$", page, re.DOTALL | re.MULTILINE)[1] == FLOORS[1:]


def test_only_the_border_knows_of_pybind11():
    sources = (PACKAGE.parent / "csrc").glob("*.[hc]*")
    assert {path.name for path in sources if "pybind11" in path.read_text()} <= {
        "bindings.cpp",
        "python_search.h",
        "checks.h",
    }


def test_the_package_loads_nothing_that_could_run_code_from_a_file():
    # One module pickles: what a run's own processes exchange over sockets, as Ray does; it opens no file.
    exempt = PACKAGE / "util" / "messages.py"
    assert "open(" not in exempt.read_text() and "pickle.load(" not in exempt.read_text()
    forbidden = ("pickle", "torch.load", "allow_pickle=True", "eval(", "exec(", "shell=True", "yaml.load")
    for path in set(PACKAGE.rglob("*.py")) - {exempt}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Call, ast.Import, ast.ImportFrom)):
                text = ast.unparse(node).replace("allow_pickle=False", "")
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
