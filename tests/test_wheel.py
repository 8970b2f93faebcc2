"""A wheel holds every file of the package, the settings and the trained agents."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_a_wheel_holds_all_that_the_repository_has(tmp_path):
    pytest.importorskip("scikit_build_core")
    words = ["wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path)]
    words += ["-C", f"build-dir={tmp_path / 'build'}"]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, timeout=600)
    (wheel,) = tmp_path.glob("*.whl")
    there = set(zipfile.ZipFile(wheel).namelist())
    listed = ["git", "-C", str(ROOT), "ls-files", "muzero", "configs", "zoo"]
    files = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    expected = {name if name.startswith("muzero/") else f"muzero/{name}" for name in files}
    assert len(expected) > 200 and expected <= there, sorted(expected - there)
    assert any(name.startswith("muzero/_tree.") and name.endswith(".so") for name in there)
