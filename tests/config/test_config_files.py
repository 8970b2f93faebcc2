"""A configuration file gives a layer, or an error that names the place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_schema import SCHEMA, problems

from muzero import build
from muzero.config import ConfigError, merge, read_layer


def refusal(path):
    with pytest.raises(ConfigError) as caught:
        read_layer(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[learner]\n\x89PNG\r\n\x1a\n", ", line 2: not text in UTF-8 (byte 0x89)"),
        (b"#" * 2**21, "larger than 1,048,576 bytes"),
        (b"x = " + b"[" * 2**19, ", line 1: longer than 1,000 characters"),
        (b"[learner]\nx = " + b"[1, " * 240, ", line 2: "),
        (b"[learner]\nx = [1,\n" + b"[1,\n" * 2**17, ", line 3: "),
        (b"[learner]\nx = [\n" + b"1, [\n" * 2**17, ", line 2: arrays nest too deep"),
        (b"[learner]\nx = " + b"{a = " * 150, ", line 2: 'x = {a = "),
        (b"\n[learner]\na.b.c = 1", ", line 3: 'a.b.c = 1'; expected [table], [table.key], or key = value"),
        (b"[learner.more.yet]\n", ", line 1: '[learner.more.yet]'; expected [table]"),
        (b"[[learner]]\n", ", line 1: "),
        (b"[learner.a]\nb.c = 1\n", ", line 1); expected a number, string, true or false"),
        (b"[learner]\nbatch = 1979-05-27\n", "'batch' (from "),
        (b"[learner]\nbatch = 1\nbatch = 2\n", ", line 3: 'batch = 2': this key was given before"),
        (b"[run]\n[learner]\n[run]\n", ", line 3: '[run]': Cannot declare"),
        (b"[learner]\nbatch = \n\n", ", line 2: 'batch =': Invalid value"),
        (b"[learner]\nbatch =", ", line 2: 'batch =': Invalid value"),
        (b"Dear reader,\n", ", line 1: 'Dear reader,': "),
        (b'{"learner": {}}', ", line 1: "),
        (b"learner:\n  batch: 1\n", ", line 1: "),
        (b"\0" * 100, ", line 1: "),
        (b"batch = 1\n", "batch stands outside any [table]"),
        (b"[learner]\n" + b"".join(b"k%d = 1\n" % number for number in range(2000)), "more than 1,000 values"),
    ],
    ids=range(22),
)
def test_a_malformed_file_is_refused_with_its_name_and_line(tmp_path, content, message):
    path = tmp_path / "my.toml"
    path.write_bytes(content)
    text = refusal(path)
    assert str(path) in text
    assert message.removeprefix(": ") in text
    assert len(text) < 400


def test_a_file_that_is_not_there_is_named_with_its_nearest_neighbour(tmp_path):
    (tmp_path / "atari.toml").touch()
    missing = tmp_path / "atrai.toml"
    assert refusal(missing) == f"cannot read {missing}: No such file or directory; did you mean {tmp_path}/atari.toml?"
    assert refusal(tmp_path) == f"cannot read {tmp_path}: Is a directory"
    assert "cannot read" in refusal(tmp_path / "nowhere" / "x.toml")


def test_a_name_from_a_file_cannot_write_to_the_terminal(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text('[learner]\n"\\u001b[31m" = 1\n["\\u001b"]\n')
    (problem, other) = problems(read_layer(path))
    assert "\x1b" not in problem + other


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "my.toml"
    path.write_bytes("\ufeff[learner]\r\nbatch = 7\r\n".encode())
    assert read_layer(path).tables == {"learner": {"batch": 7}}


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_a_layer_or_an_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(content)
    try:
        merge([read_layer(path)], SCHEMA)
    except ConfigError as error:
        assert error.problems


@pytest.mark.parametrize(("game", "kind"), [("board/nim", "vector"), ("board/connect_four", "spatial")])
def test_the_model_follows_the_shape_of_the_observation(game, kind):
    assert build.configure(game, []).kind("model") == kind
