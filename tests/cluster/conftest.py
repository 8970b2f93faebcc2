"""What tests of actors and matches on Ray share."""

import pytest
from on_ray import SUPPORT


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """A folder whose files say what the environments of actors do wrong; see `cluster_games`."""
    folder = tmp_path_factory.mktemp("orders")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUZERO_TEST_ORDERS", str(folder))
        patch.setenv("PYTHONPATH", SUPPORT)
        yield folder
