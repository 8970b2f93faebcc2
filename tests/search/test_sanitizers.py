"""The search under sanitizers, in long form; `.ci/run` has the short one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def run(*command, **environment):
    result = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def test_sanitizers_accept_a_million_searches_and_catch_an_overflow(tmp_path):
    output = run(ROOT / ".ci" / "sanitize", tmp_path, "1000000")
    assert "1000000 searches" in output
    assert "the planted overflow was caught" in output


def test_sanitizers_accept_hostile_calls_from_python(tmp_path):
    """100,000 calls with wrong arguments, over an extension that is built with AddressSanitizer."""
    pybind11 = run(sys.executable, "-m", "pybind11", "--cmakedir").strip()
    places = (f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11}")
    run("cmake", "-S", ROOT, "-B", tmp_path, "-DMUZERO_SANITIZE=address,undefined", *places)
    run("cmake", "--build", tmp_path, "--parallel", "2")
    libraries = [run("g++", f"-print-file-name={name}").strip() for name in ("libasan.so", "libstdc++.so.6")]
    (extension,) = tmp_path.glob("_tree.*.so")
    code = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("muzero._tree", {str(extension)!r})
sys.modules["muzero._tree"] = tree = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tree)
import muzero
muzero._tree = tree
sys.path[:0] = [{str(ROOT / "tests" / "search")!r}, {str(ROOT / "tests" / "support")!r}]
import test_search_hostile
assert test_search_hostile._tree is tree
test_search_hostile.call_with_hostile_arguments(100_000)
"""
    run(sys.executable, "-c", code, LD_PRELOAD=":".join(libraries), ASAN_OPTIONS="detect_leaks=0")
