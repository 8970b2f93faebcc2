"""A page that is served, and what talks to it."""

import httpx
import pytest
from served_page import served

from muzero.agent import Agent


@pytest.fixture(scope="session")
def agent():
    return Agent.load("zoo/tic_tac_toe", simulations=8)


@pytest.fixture(scope="module")
def page(agent):
    with served(agent) as found:
        yield found


@pytest.fixture
def client(page):
    """A browser that has opened the printed address."""
    with httpx.Client(base_url=page.origin, trust_env=False) as found:
        assert found.get(page.address).status_code == 200
        yield found
