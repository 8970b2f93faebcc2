"""Checkpoints: what is saved is loaded, and nothing damaged or foreign passes."""

import json

import numpy as np
import pytest
import torch

from muzero import checkpoint
from muzero.checkpoint import CheckpointError
from muzero.interfaces import GameSpec

SPEC = GameSpec("board/connect_four", (3, 6, 7), "float32", 7, (-1.0, 0.0))
OTHER = GameSpec("board/othello", (3, 8, 8), "float32", 65, (-1.0, 0.0))


def save(folder, step=12000, **changes):
    arrays = {"model": {"weight": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1], "step": np.array(3)}}
    state = {"fingerprint": checkpoint.fingerprint(SPEC), "updates": 7}
    return checkpoint.save(folder, step, arrays, state | changes)


def test_what_is_saved_is_loaded(tmp_path):
    save(tmp_path)
    found, problems = checkpoint.latest(tmp_path)
    assert found.step == 12000 and problems == [] and found.state()["updates"] == 7
    arrays = found.arrays("model")
    np.testing.assert_array_equal(arrays["weight"], [[2, 1, 0], [5, 4, 3]])
    assert arrays["step"].shape == ()


def test_only_the_newest_are_kept(tmp_path):
    for step in (1, 2, 3, 4):
        save(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000003", "step-000000004"]


def test_saving_a_step_again_replaces_it(tmp_path):
    save(tmp_path)
    save(tmp_path, updates=8)
    assert checkpoint.latest(tmp_path)[0].state()["updates"] == 8


@pytest.mark.parametrize("file", ["model.safetensors", "state.json", "MANIFEST.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "empty"])
def test_a_damaged_checkpoint_is_refused_by_name_and_the_one_before_is_used(tmp_path, file, damage):
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
    with pytest.raises(CheckpointError, match="format 99; this version of muzero reads format 1"):
        checkpoint.verify(path)


def test_a_checkpoint_of_another_game_is_refused_naming_both(tmp_path):
    save(tmp_path)
    found, _ = checkpoint.latest(tmp_path)
    with pytest.raises(CheckpointError) as error:
        checkpoint.require(found, OTHER)
    assert str(error.value) == (
        "checkpoint step-000012000 is for board/connect_four (7 actions, 3x6x7); "
        "this run is board/othello (65 actions, 3x8x8)"
    )


def test_a_checkpoint_of_another_network_is_refused_naming_the_layer(tmp_path):
    save(tmp_path)
    found, _ = checkpoint.latest(tmp_path)
    with pytest.raises(CheckpointError, match="another network"):
        checkpoint.load_weights(torch.nn.Linear(3, 2), found, SPEC)


def test_a_failed_save_leaves_what_was_there_and_no_litter(tmp_path, monkeypatch):
    save(tmp_path, 1)

    def fail(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "sync", fail)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001"]
    assert checkpoint.latest(tmp_path)[0].step == 1


def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path):
    path = save(tmp_path)
    manifest = json.loads((path / "MANIFEST.json").read_text())
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    manifest["files"]["../secret"] = {"bytes": 1, "sha256": checkpoint.digest(secret)}
    (path / "MANIFEST.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="secret"):
        checkpoint.verify(path)
