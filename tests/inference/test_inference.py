"""Every path computes what the model says, with its present weights."""

import copy
import gc
import mmap
import pickle
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from inference_paths import (
    CPU_PATHS,
    MODELS,
    assert_agrees,
    assert_close,
    computed,
    edges_for,
    made,
    randomise,
    reference,
    roots,
    some_edges,
)
from nim import NimModel

from muzero import search
from muzero.config import ConfigError
from muzero.inference import fastest, simulating
from muzero.models.vector import VectorModel


@pytest.mark.parametrize("path", ["auto", *CPU_PATHS])
@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("name", MODELS)
def test_every_path_computes_what_the_model_says(name, batch, path):
    model, spec = made(name)
    root = roots(model, spec, batch)
    edges = edges_for(path, spec, batch)
    assert_agrees(path, computed(model, root, edges, path), reference(model, root, edges))


@pytest.mark.parametrize("path", CPU_PATHS)
@pytest.mark.parametrize("change", ["in place", "data", "load", "optimiser", "new tensors"])
@pytest.mark.parametrize("name", ["vector", "spatial"])
def test_a_search_uses_the_weights_of_now(name, change, path):
    model, spec = made(name)
    root, edges = roots(model, spec, 2), edges_for(path, spec, 2)
    before = computed(model, root, edges, path)
    changes = {
        "in place": lambda: randomise(model, 1),
        "data": lambda: [parameter.data.mul_(1.5) for parameter in model.parameters()],
        "load": lambda: model.load_state_dict(made(name, 1)[0].state_dict()),
        "optimiser": lambda: updated(model),
        "new tensors": lambda: model.load_state_dict(made(name, 1)[0].state_dict(), assign=True),
    }
    changes[change]()
    after = computed(model, root, edges, path)
    assert_agrees(path, after, reference(model, root, edges))
    assert not np.allclose(before[-1][3], after[-1][3], atol=1e-3)


def updated(model):
    """One step of an optimiser that fuses its writes."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()


@pytest.mark.parametrize("path", CPU_PATHS)
def test_one_row_that_changes_is_noticed(path):
    model, spec = made("vector")
    root, edges = roots(model, spec, 2), some_edges(spec, 2)
    computed(model, root, edges, path)
    with torch.no_grad():
        model.value_head.bias[0] += 3
    assert_close(computed(model, root, edges, path), reference(model, root, edges))


@pytest.mark.parametrize("path", CPU_PATHS)
def test_a_node_that_is_evaluated_again_keeps_its_state(path):
    model, spec = made("vector")
    root = roots(model, spec, 3)
    seen = []

    def recorded(expand):
        def call(parent, action, node):
            result = expand(parent, action, node)
            seen.append((parent.copy(), action.copy(), node.copy(), result[2].copy()))
            return result

        return call

    with simulating(model, root, 30, path) as (logits, value, expand):
        search.puct(logits, value, recorded(expand), 30, max_depth=2)
    assert any((node != number + 1).any() for number, (_, _, node, _) in enumerate(seen))
    for row in range(3):
        states = {0: {name: rows[row : row + 1] for name, rows in root.items()}}
        for parent, action, node, found in seen:
            with torch.inference_mode():
                latent, _ = model.imagine(states[int(parent[row])], torch.tensor([int(action[row])]))
                np.testing.assert_allclose(found[row], model.predict(latent).value.mean.numpy()[0], atol=1e-3)
            states[int(node[row])] = latent


@pytest.mark.parametrize("path", CPU_PATHS)
@pytest.mark.parametrize("parts", [2, 3])
def test_parts_in_turns_find_what_the_whole_batch_finds(parts, path):
    model, spec = made("spatial")
    root, found = roots(model, spec, 5), []
    for count in (1, parts, parts):
        with simulating(model, root, 20, path, count) as (logits, value, expand):
            found.append(search.puct(logits, value, expand, 20))
    for result in found[1:]:
        np.testing.assert_array_equal(result.visits, found[0].visits)
        np.testing.assert_allclose(result.value, found[0].value, atol=1e-5)


@pytest.mark.parametrize("path", CPU_PATHS)
def test_searches_of_other_shapes_and_an_interrupted_one_do_not_disturb(path):
    model, spec = made("vector")
    first, second = roots(model, spec, 2), roots(model, spec, 5)
    wanted = computed(model, first, some_edges(spec, 2), path)
    computed(model, second, some_edges(spec, 5), path)
    with pytest.raises(KeyboardInterrupt), simulating(model, first, 6, path) as simulation:
        simulation.expand(*(np.zeros(2, np.int32) for _ in range(3)))
        raise KeyboardInterrupt
    again = computed(model, first, some_edges(spec, 2), path)
    for one, other in zip(wanted, again, strict=True):
        assert [array.tobytes() for array in one] == [array.tobytes() for array in other]


def test_two_searches_of_one_model_can_run_at_once():
    model, spec = made("vector")
    root, other, edges = roots(model, spec, 2), roots(model, spec, 2), some_edges(spec, 2)
    with simulating(model, other, len(edges)) as outer:
        assert_close(computed(model, root, edges, "auto"), reference(model, root, edges))
        assert_close([(outer.parameters, outer.value)], reference(model, other, []))


def test_a_model_that_is_not_a_network_is_called_as_it_is():
    root = {"stones": torch.tensor([4, 5])}
    with simulating(NimModel(), root, 40) as (logits, value, expand):
        assert (search.gumbel(logits, value, expand, 40).action + 1).tolist() == [1, 2]


class Unusual(VectorModel):
    """Computes what no graph of operations can express."""

    def advance(self, state, action):
        return state + float(np.sin(state.numpy()).sum())


def test_a_model_that_cannot_be_exported_is_an_error_only_on_request():
    spec = MODELS["vector"][1]
    model = Unusual(spec, width=16).eval()
    root, edges = roots(model, spec, 2), some_edges(spec, 2)
    assert_close(computed(model, root, edges, "auto"), reference(model, root, edges))
    with pytest.raises(ConfigError, match=r"inference = 'onnx': Unusual cannot be exported; "):
        computed(model, root, edges, "onnx")


def test_a_path_of_another_device_is_refused():
    model, spec = made("vector")
    with pytest.raises(ConfigError, match="inference = 'cuda_graph' needs device cuda; the model is on cpu"):
        computed(model, roots(model, spec, 1), [], "cuda_graph")


def test_measuring_names_a_path_that_works():
    model, spec = made("vector")
    assert fastest(model, roots(model, spec, 2), 4, seconds=0) in CPU_PATHS


@pytest.mark.parametrize("path", CPU_PATHS)
def test_nothing_keeps_a_model_alive(path):
    model, spec = made("vector")
    computed(model, roots(model, spec, 2), some_edges(spec, 2), path)
    watched = weakref.ref(model)
    del model
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize("path", CPU_PATHS)
def test_new_weights_take_the_place_of_the_old_ones(path):
    model, spec = made("vector")
    model = VectorModel(spec, width=512).eval()
    root, edges = roots(model, spec, 2), some_edges(spec, 2)
    megabytes = sum(parameter.nbytes for parameter in model.parameters()) / 1e6

    def search_with_new_weights(times):
        for seed in range(times):
            randomise(model, seed)
            computed(model, root, edges, path)
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE / 1e6

    before = search_with_new_weights(5)
    assert search_with_new_weights(30) - before < 10 * megabytes  # of 30, or 60, that could have been kept


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_is_searched_with_its_own_weights(copied):
    model, spec = made("vector")
    root, edges = roots(model, spec, 2), some_edges(spec, 2)
    computed(model, root, edges, "auto")
    other = copied(model)
    randomise(other, 1)
    assert_close(computed(other, root, edges, "auto"), reference(other, root, edges))
    assert_close(computed(model, root, edges, "auto"), reference(model, root, edges))


def test_the_owner_of_a_model_can_drop_its_simulators():
    model, spec = made("vector")
    root, edges = roots(model, spec, 2), some_edges(spec, 2)
    computed(model, root, edges, "auto")
    watched = weakref.ref(model.simulators)
    model.simulators = None
    gc.collect()
    assert watched() is None
    assert_close(computed(model, root, edges, "auto"), reference(model, root, edges))


FORKS_AFTER_A_SEARCH = """
import os, signal, sys
import torch
from muzero import search
from muzero.actions import Discrete
from muzero.inference import observe_first, simulating
from muzero.interfaces import GameSpec
from muzero.models.vector import VectorModel

torch.set_num_threads(2)
model = VectorModel(GameSpec("v", (5,), "float32", Discrete(4), (0.0, 1.0))).eval()


def act(path):
    with torch.inference_mode():
        root = observe_first(model, torch.zeros(512, 5))
        with simulating(model, root, 8, path) as (logits, value, expand):
            return search.gumbel(logits, value, expand, 8).action.tolist()


for path in sys.argv[1:]:
    expected = act(path)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)  # ends a child that waits for threads
        same = act(path) == expected
        model.value_head.bias.data[0] += 3
        same = act(path) is not None and same
        os._exit(0 if same else 1)
    print(path, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_forked_process_can_search():
    """Also with new weights.  Without its one thread the child waits for threads that its parent has."""
    result = subprocess.run([sys.executable, "-c", FORKS_AFTER_A_SEARCH, *CPU_PATHS], capture_output=True, text=True)
    assert result.stdout.split("\n") == [*(f"{path} 0" for path in CPU_PATHS), ""], result.stdout + result.stderr
