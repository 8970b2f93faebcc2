"""The files of a run's folder: one owner of their names, one writer of rows, and no way out of the folder."""

import ast
import errno
import json
import os
from pathlib import Path

import pytest
from disks import room

import muzero
from muzero.config import ConfigError
from muzero.runs import json_lines
from muzero.runs.folder import RunFolder, owned, run_of
from muzero.runs.json_lines import Rows
from muzero.util.files import open_regular, read_regular, replace

PACKAGE = Path(muzero.__file__).parent
NAMES = {path.name for path in vars(RunFolder(Path("run"))).values()} - {"run", "results", "replay", "lock"}
KINDS = ["link", "dangling", "pipe", "device"]


def test_one_file_knows_the_names_of_a_run_folder():
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "runs" / "folder.py":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant):
                    assert node.value not in NAMES, f"{path}:{node.lineno} names {node.value}"


def test_every_text_file_is_opened_with_an_encoding():
    """A locale that is not UTF-8 must not decide how a file is written."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                assert encoded_or_binary(node), f"{path}:{node.lineno}: {ast.unparse(node)}"


def encoded_or_binary(call):
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
    words = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if any(word.arg == "encoding" for word in call.keywords):
        return True
    if name in ("read_text", "write_text") and isinstance(call.func, ast.Attribute):
        return "utf-8" in words
    if name in ("open", "fdopen") and any(set(word) <= set("rwabx+") for word in words):
        return any("b" in word for word in words if set(word) <= set("rwabx+"))
    return True


def place(path, kind, outside):
    """Put something there that is not a regular file."""
    if kind == "link":
        outside.write_text("precious")
        path.symlink_to(outside)
    elif kind == "dangling":
        path.symlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["config", "lock", "metrics", "evaluations", "evaluation", "commands", "changes"])
def test_a_folder_with_a_link_or_pipe_is_refused_by_name(tmp_path, name, kind):
    path = getattr(RunFolder(tmp_path), name)
    place(path, kind, outside := tmp_path.parent / f"{tmp_path.name}-outside")
    with pytest.raises(ConfigError, match=f"{path} is (a symbolic link|not a regular file)"), owned(tmp_path):
        pass
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert not outside.exists() or outside.read_text() == "precious"


@pytest.mark.parametrize("name", ["checkpoints", "replay"])
def test_a_folder_of_a_run_that_is_a_link_is_refused_by_name(tmp_path, name):
    path, outside = getattr(RunFolder(tmp_path / "run"), name), tmp_path / "outside"
    outside.mkdir()
    path.parent.mkdir()
    path.symlink_to(outside)
    with pytest.raises(ConfigError, match=f"{path} is a symbolic link, expected a folder"), owned(path.parent):
        pass
    path.unlink()
    path.write_text("stray")
    with pytest.raises(ConfigError, match=f"{path} is not a folder"), owned(path.parent):
        pass


def test_every_link_of_a_folder_is_named_at_once(tmp_path):
    for path in (RunFolder(tmp_path).metrics, RunFolder(tmp_path).commands):
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError) as refused, owned(tmp_path):
        pass
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_APPEND | os.O_CREAT])
@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_opened_and_nothing_is_waited_for(tmp_path, kind, flags):
    place(tmp_path / "x", kind, tmp_path / "outside")
    handles = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as refused:
        open_regular(tmp_path / "x", flags)
    assert refused.value.filename == str(tmp_path / "x")
    assert len(os.listdir("/proc/self/fd")) == handles
    assert not (tmp_path / "outside").exists() or (tmp_path / "outside").read_text() == "precious"


def test_a_file_beyond_the_limit_is_not_read(tmp_path):
    (tmp_path / "x").write_bytes(bytes(11))
    assert read_regular(tmp_path / "x", 11) == bytes(11)
    with pytest.raises(OSError, match="more than 10 bytes"):
        read_regular(tmp_path / "x", 10)


def test_a_replaced_file_never_follows_a_link_that_waits_for_it(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (tmp_path / f".x-{os.getpid()}").symlink_to(outside)
    (tmp_path / "x").symlink_to(outside)
    replace(tmp_path / "x", "é")
    assert (tmp_path / "x").read_text("utf-8") == "é" and not (tmp_path / "x").is_symlink()
    assert outside.read_text() == "precious" and len(list(tmp_path.iterdir())) == 2


def test_a_row_is_appended_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.jsonl"
    json_lines.append(path, [{"a": 1}, {"b": "é"}])
    with room(path.stat().st_size + 5), pytest.raises(OSError) as full:
        json_lines.append(path, [{"c": 3}])
    assert full.value.errno == errno.EFBIG
    json_lines.append(path, [{"d": 4}])
    assert json_lines.read(path) == [{"a": 1}, {"b": "é"}, {"d": 4}]


def test_a_row_that_finds_no_room_is_left_out_whole(tmp_path):
    rows = Rows(tmp_path / "rows")
    with room(10):
        assert [rows.add(row) for row in (b"123456\n", b"12345\n", b"12\n", b"1\n")] == [True, False, True, False]
    assert rows.add(b"more\n") and rows.dropped == 2
    rows.close()
    assert not rows.add(b"late\n")
    rows.close()
    assert (tmp_path / "rows").read_bytes() == b"123456\n12\nmore\n"


def test_lines_that_are_not_objects_are_left_out(tmp_path):
    (tmp_path / "x").write_bytes(b'{"a": 1}\n[2]\n"three"\n\xff\n' + b"[" * 100_000 + b'\n{"b": 2}\n{"torn')
    assert json_lines.read(tmp_path / "x") == [{"a": 1}, {"b": 2}]
    assert json_lines.read(tmp_path / "missing") == []


def test_the_run_of_a_checkpoint_is_the_folder_above(tmp_path):
    assert run_of(RunFolder(tmp_path).checkpoints / "step-000000001") == tmp_path == run_of(tmp_path)


def test_notes_are_rows_of_their_files(tmp_path):
    from muzero.runs.folder import note, record

    record(tmp_path, 5)
    note(tmp_path, 5, [])
    note(tmp_path, 6, ["[run] steps = 2 here, 1 in the run"])
    (command,) = json_lines.read(RunFolder(tmp_path).commands)
    assert command["steps"] == 5
    assert json.loads(RunFolder(tmp_path).changes.read_text()) == {
        "steps": 6,
        "changed": ["[run] steps = 2 here, 1 in the run"],
    }
