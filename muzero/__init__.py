"""Learn a model of an environment from experience, and act by planning inside it."""

__version__ = "0.1.0"
