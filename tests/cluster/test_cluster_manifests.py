"""The examples of clusters are what `ray up` and KubeRay take, and say what muzero needs."""

import json
import tomllib
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
import yaml

from muzero.cli.worker import HEALTH

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "cluster"
SCHEMAS = {
    # Ray itself is not imported here.
    "ray-up.yaml": Path(find_spec("ray").origin).parent / "autoscaler" / "ray-schema.json",
    "kuberay.yaml": ROOT / "tests" / "data" / "kubernetes" / "raycluster.schema.json",
}


def example(name):
    return yaml.safe_load((EXAMPLES / name).read_text())


def holds(name, content):
    return not list(jsonschema.Draft7Validator(json.loads(SCHEMAS[name].read_text())).iter_errors(content))


def test_every_example_has_a_schema():
    assert {path.name for path in EXAMPLES.iterdir()} == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_example_holds_to_its_schema(name):
    assert holds(name, example(name))


@pytest.mark.parametrize(
    ("name", "path", "wrong"),
    [
        ("ray-up.yaml", ("min_workers",), 2),
        ("ray-up.yaml", ("worker_start_ray_commands",), "ray stop"),
        ("kuberay.yaml", ("spec", "authOption"), {"mode": "token"}),
        ("kuberay.yaml", ("spec", "authOptions", "mode"), "tokens"),
        ("kuberay.yaml", ("spec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (
            "kuberay.yaml",
            ("spec", "workerGroupSpecs", 0, "template", "spec", "containers", 0, "resources"),
            {"cpu": "1"},
        ),
    ],
)
def test_the_schemas_refuse_what_is_wrong(name, path, wrong):
    content = inner = example(name)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    assert not holds(name, content)


def test_both_ask_for_a_token_and_notice_silence_as_our_own_head_does():
    up, kubernetes = example("ray-up.yaml"), example("kuberay.yaml")
    head = " ".join(up["head_start_ray_commands"])
    given = kubernetes["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["env"]
    for name, value in HEALTH.items():
        variable = f"RAY_health_check_{name.lower()}"
        assert f"{variable}={value}" in head
        assert {"name": variable, "value": value} in given
    assert "RAY_AUTH_MODE=token" in head and kubernetes["spec"]["authOptions"]["mode"] == "token"
    assert any("muzero-worker --address" in command for command in up["worker_start_ray_commands"])


def test_kuberay_runs_a_version_of_ray_that_muzero_allows():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lowest = next(line for line in needed if line.startswith("ray")).removeprefix("ray>=")
    given = example("kuberay.yaml")["spec"]["rayVersion"]
    assert [int(part) for part in given.split(".")] >= [int(part) for part in lowest.split(".")]
    assert f"rayproject/ray:{given}-" in (EXAMPLES / "kuberay.yaml").read_text()
