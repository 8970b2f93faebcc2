"""Checkpoints: what is saved is loaded, and nothing damaged or foreign passes."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch

from muzero.actions import Discrete
from muzero.interfaces import GameSpec
from muzero.runs import checkpoint, compatibility, saving
from muzero.runs.checkpoint import CheckpointError

SPEC = GameSpec("board/connect_four", (3, 6, 7), "float32", Discrete(7), (-1.0, 0.0))
OTHER = GameSpec("board/othello", (3, 8, 8), "float32", Discrete(65), (-1.0, 0.0))


def save(folder, step=12000, **changes):
    arrays = {"model": {"weight": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1], "step": np.array(3)}}
    notes = {"fingerprint": compatibility.fingerprint(SPEC), "seconds": 1.5 * step, "log": 1}
    state = {"updates": 7}
    for name in list(changes):
        (notes if name in notes else state)[name] = changes[name]
    return saving.save(folder, step, arrays, state, notes).path


def test_what_is_saved_is_loaded(tmp_path):
    save(tmp_path)
    found, problems = checkpoint.latest(tmp_path)
    assert found.step == 12000 and problems == [] and found.state()["updates"] == 7
    arrays = found.arrays("model")
    np.testing.assert_array_equal(arrays["weight"], [[2, 1, 0], [5, 4, 3]])
    assert arrays["step"].shape == ()


def test_the_newest_the_wanted_and_one_of_each_interval_are_kept(tmp_path):
    for step in range(1, 9):
        save(tmp_path, step, seconds=10.0 * step, log=step)
        assert saving.prune(tmp_path, 2, 50.0, [3]) == max(1, step - 1)
    assert [path.name for path in checkpoint.listed(tmp_path)] == [f"step-{step:09d}" for step in (3, 5, 7, 8)]


def test_saving_a_step_again_keeps_both_and_the_later_one_is_the_latest(tmp_path):
    save(tmp_path)
    save(tmp_path, updates=8)
    assert checkpoint.latest(tmp_path)[0].state()["updates"] == 8
    assert [path.name for path in checkpoint.listed(tmp_path)] == ["step-000012000", "step-000012000.1"]


@pytest.mark.parametrize("file", ["model.safetensors", "state.json", "MANIFEST.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "empty"])
def test_a_damaged_checkpoint_is_named_and_the_previous_one_is_used(tmp_path, file, damage):
    save(tmp_path, 1)
    path = save(tmp_path, 2) / file
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        flipped = content[:-9] + bytes([content[-9] ^ 0x80]) + content[-8:]
        path.write_bytes({"truncate": content[:-5], "flip": flipped, "empty": b""}[damage])
    found, problems = checkpoint.latest(tmp_path)
    assert found.step == 1
    assert len(problems) == 1 and "step-000000002" in problems[0]


def test_where_no_checkpoint_is_usable_each_reason_is_given(tmp_path):
    (save(tmp_path, 1) / "model.safetensors").write_bytes(b"garbage")
    (save(tmp_path, 2) / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"no usable checkpoint[^$]*state.json is missing[^$]*it is damaged"):
        checkpoint.latest(tmp_path)
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        checkpoint.latest(tmp_path / "nowhere")


def test_a_newer_format_is_refused(tmp_path):
    path = save(tmp_path)
    manifest = json.loads((path / "MANIFEST.json").read_text())
    (path / "MANIFEST.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(CheckpointError, match="format 99; this version of muzero reads format 2"):
        checkpoint.verify(path)


def test_a_checkpoint_of_another_game_is_refused_naming_both(tmp_path):
    save(tmp_path)
    found, _ = checkpoint.latest(tmp_path)
    with pytest.raises(CheckpointError) as error:
        compatibility.require(found, OTHER)
    assert str(error.value) == (
        "checkpoint step-000012000 is for board/connect_four (7 actions, 3x6x7 float32); "
        "this run is board/othello (65 actions, 3x8x8 float32)"
    )


def test_a_checkpoint_of_another_network_is_refused_naming_the_layer(tmp_path):
    save(tmp_path)
    found, _ = checkpoint.latest(tmp_path)
    with pytest.raises(CheckpointError, match="another network"):
        compatibility.load_weights(torch.nn.Linear(3, 2), found, SPEC)


def test_a_failed_save_leaves_what_was_there_and_no_litter(tmp_path, monkeypatch):
    save(tmp_path, 1)

    def fail(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "sync", fail)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001"]
    assert checkpoint.latest(tmp_path)[0].step == 1


def resealed(path, **changes):
    """What a forger would do: change a manifest, and seal it again."""
    manifest = json.loads((path / "MANIFEST.json").read_text())
    del manifest["seal"]
    (path / "MANIFEST.json").write_text(checkpoint.sealed(manifest | changes))
    return path


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "secret", "a/b.json", "..", "", "model.safetensors\0"])
def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    path = save(tmp_path / "run")
    files = json.loads((path / "MANIFEST.json").read_text())["files"]
    files[name] = {"bytes": 1, "sha256": checkpoint.digest(secret)}
    with pytest.raises(CheckpointError, match="unexpected file"):
        checkpoint.verify(resealed(path, files=files))


@pytest.mark.parametrize("changes", [{"files": 3}, {"files": {}}, {"step": "x"}, {"seconds": "x"}, {"files": {"a": 1}}])
def test_a_sealed_manifest_without_sense_is_refused(tmp_path, changes):
    with pytest.raises(CheckpointError, match="is not a manifest"):
        checkpoint.verify(resealed(save(tmp_path), **changes))


def test_links_are_refused(tmp_path):
    real = save(tmp_path / "elsewhere")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "step-000000001").symlink_to(real)
    with pytest.raises(CheckpointError, match="symbolic link"):
        checkpoint.verify(tmp_path / "run" / "step-000000001")
    (real / "model.safetensors").rename(tmp_path / "model")
    (real / "model.safetensors").symlink_to(tmp_path / "model")
    with pytest.raises(CheckpointError, match="is not a regular file"):
        checkpoint.verify(real)


def forged(path, content):
    """A checkpoint whose weights are replaced, with digests that fit."""
    (path / "model.safetensors").write_bytes(content)
    files = json.loads((path / "MANIFEST.json").read_text())["files"]
    files["model.safetensors"] = {"bytes": len(content), "sha256": checkpoint.digest(path / "model.safetensors")}
    return checkpoint.verify(resealed(path, files=files))


class Canary:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place), "w")


def malicious(place):
    """A pickle, and an archive of torch with one inside, that leave a file behind where they are read."""
    pickled = pickle.dumps(Canary(place))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickled)
    return pickled, archive.getvalue()


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    canary = tmp_path / "canary"
    for content in malicious(canary):
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            forged(save(tmp_path / "run"), content).arrays("model")
    assert not canary.exists()
    pickle.loads(malicious(canary)[0]).close()
    assert canary.exists()  # it would have


def header(size, text=b"{}"):
    return size.to_bytes(8, "little") + text


@pytest.mark.parametrize("content", [b"", b"abc", header(2**63), header(1 << 30), header(2, b"xx"), header(100, b"{}")])
def test_weights_with_a_header_that_means_nothing_are_refused(tmp_path, content):
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        forged(save(tmp_path), content).arrays("model")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": np.full((2, 3), np.nan, np.float32)}, "weight holds numbers that are not finite"),
        ({"weight": np.full((2, 3), -np.inf, np.float32)}, "weight holds numbers that are not finite"),
        ({"weight": np.zeros((3, 2), np.float32)}, r"model.weight is \(3, 2\) float32 there, \(2, 3\) float32 in"),
        ({"weight": np.zeros((2, 3), np.float64)}, "model.weight is .* float64 there"),
        ({"weight": None}, "model.weight is missing there"),
        ({"more": np.zeros(1, np.float32)}, "model.more is .*there, missing in the configuration"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, changes, message):
    model = torch.nn.Linear(3, 2)
    arrays = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()} | changes
    arrays = {name: array for name, array in arrays.items() if array is not None}
    notes = {"fingerprint": compatibility.fingerprint(SPEC)}
    found = saving.save(tmp_path, 1, {"model": arrays}, {}, notes)
    with pytest.raises(CheckpointError, match=message):
        compatibility.load_weights(model, found, SPEC)


def mutated(rng, content):
    """A file with something wrong with it."""
    data, at = bytearray(content), int(rng.integers(len(content)))
    kind = rng.integers(5)
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at : at + 64] = bytes(len(data[at : at + 64]))
    elif kind == 3:
        data[at:at] = rng.bytes(int(rng.integers(1, 40)))
    else:
        data[at : at + 8] = rng.bytes(8)
    return bytes(data) if data != content else None


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_no_mutated_checkpoint_is_accepted(tmp_path, count):
    rng = np.random.default_rng(count)
    path = save(tmp_path)
    contents = {file.name: file.read_bytes() for file in path.iterdir()}
    tried = 0
    while tried < count:
        name = sorted(contents)[int(rng.integers(len(contents)))]
        changed = mutated(rng, contents[name])
        if changed is None:
            continue
        (path / name).write_bytes(changed)
        with pytest.raises(CheckpointError):
            checkpoint.verify(path)
        (path / name).write_bytes(contents[name])
        tried += 1
    assert checkpoint.verify(path).state() == {"updates": 7}
