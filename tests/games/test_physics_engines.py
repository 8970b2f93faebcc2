"""Environments of MuJoCo and dm_control: checked, learned from, and named with the extra where it is missing."""

import re
import sys

import pytest
from killing import trained

from muzero import build
from muzero.games.control import ControlGames, all_names, resolve
from muzero.games.errors import UnknownGame
from muzero.trials.conformance import check
from muzero.util.extras import MissingExtra

MUJOCO, DM_CONTROL = "InvertedPendulum-v5", "dm_control/cartpole-swingup-v0"
NEEDED = {MUJOCO: "mujoco", DM_CONTROL: "dm_control"}
SMALL = [
    "planner.kind=mppi",
    "planner.population=8",
    "planner.elites=4",
    "planner.inference=torch",
    "run.steps=200",
    "run.updates_per_step=0.1",
    "model.width=16",
]


@pytest.fixture(params=NEEDED)
def name(request):
    pytest.importorskip(NEEDED[request.param])
    return request.param


def test_an_environment_has_the_form_that_it_should(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = list(check(lambda batch: ControlGames(name, batch, True), lambda spec: None, 1.0))
    faults = [finding for outcome in found for finding in outcome.findings if finding.fault]
    assert not faults and {"making it", "seeds", "instances"} <= {outcome.check for outcome in found}
    assert not list(tmp_path.iterdir())  # MuJoCo would leave a log


def test_an_environment_is_learned_without_further_settings(name, tmp_path):
    assert build.configure(f"gym/{name}", []).kind("planner") == "mppi"
    training = trained(tmp_path, f"gym/{name}", *SMALL)
    assert training.steps >= 200 and training.learner.updates > 0
    weights = [tensor for tensor in training.learner.model.state_dict().values() if tensor.is_floating_point()]
    assert all(tensor.isfinite().all() for tensor in weights)


def test_the_newest_version_is_found_and_a_misspelt_task_is_answered_with_the_nearest():
    pytest.importorskip("dm_control")
    assert resolve("dm_control/cartpole-swingup") == DM_CONTROL
    assert DM_CONTROL not in all_names()  # to make all of them takes long
    with pytest.raises(UnknownGame, match=f"nearest: gym/{DM_CONTROL}"):
        ControlGames("dm_control/cartpole-swingupp-v0", 1, False)


@pytest.mark.parametrize(
    ("name", "module", "remedy"),
    [
        (MUJOCO, "mujoco", 'needs MuJoCo: pip install "muzero[mujoco]"'),
        (DM_CONTROL, "dm_control", 'needs dm_control: pip install "muzero[dm-control]"'),
        (DM_CONTROL, "shimmy", 'needs shimmy: pip install "muzero[dm-control]"'),
    ],
)
def test_a_missing_package_is_answered_with_the_extra_that_brings_it(name, module, remedy, monkeypatch):
    if module == "shimmy":
        pytest.importorskip("dm_control")
    for loaded in [name for name in sys.modules if name.startswith("gymnasium.envs.mujoco")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=f"^gym/{name} {re.escape(remedy)}$"):
        ControlGames(name, 1, False)
