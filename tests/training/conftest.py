"""What tests of training share: a run that has ended."""

import shutil

import pytest
from killing import trained


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """The folder of a short run of tic-tac-toe that has ended."""
    folder = tmp_path_factory.mktemp("base") / "run"
    trained(folder, "board/tic_tac_toe")
    return folder


@pytest.fixture
def copy(base, tmp_path):
    """A copy of that folder, for a test to change."""
    return shutil.copytree(base, tmp_path / "run")
