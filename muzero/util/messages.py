"""Values on their way between a run's processes: the only place of the package that uses pickle.

They cross socket pairs of the process that learns and the connections of Ray, which works likewise and asks for a
token; they are never read from a file.
"""

from __future__ import annotations

import pickle
from typing import Any


def pack(value: Any) -> bytes:
    """A value as bytes; classes and functions travel by name.

    Raises:
        Exception: of the value, if it cannot be packed.
    """
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> Any:
    """The value of `pack`.

    Raises:
        Exception: if it needs what this process lacks.
    """
    return pickle.loads(packed)
