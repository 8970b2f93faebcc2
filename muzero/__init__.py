"""Learn a model of an environment from experience, and act by planning inside it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muzero.agent import Agent

__all__ = ["Agent", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`muzero.Agent` imports torch, which takes a second: only when asked for."""
    if name == "Agent":
        from muzero.agent import Agent

        return Agent
    raise AttributeError(f"module 'muzero' has no attribute {name!r}")
