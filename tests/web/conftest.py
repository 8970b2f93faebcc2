"""A page that is served, and what talks to it."""

import httpx
import pytest
from served_page import served

from muzero.agent import Agent
from muzero.interactive.strength import Set


@pytest.fixture(scope="session")
def player():
    return Set(Agent.load("zoo/tic_tac_toe", simulations=8), 0.0)


@pytest.fixture(scope="module")
def page(player):
    with served(player) as found:
        yield found


@pytest.fixture
def client(page):
    """A browser that has opened the printed address."""
    with httpx.Client(base_url=page.origin, trust_env=False) as found:
        assert found.get(page.address).status_code == 200
        yield found
