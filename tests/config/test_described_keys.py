"""Every configuration key is described in the docstring of the class that takes it."""

import pytest

from muzero import build
from muzero.config.descriptions import descriptions
from muzero.config.schema import parameters

CONSTRUCTORS = [
    pytest.param(constructor, id=constructor.__name__)
    for entry in build.SCHEMA.values()
    for constructor in (entry.values() if isinstance(entry, dict) else [entry])
]


@pytest.mark.parametrize("constructor", CONSTRUCTORS)
def test_every_key_is_described_in_a_sentence(constructor):
    found = descriptions(constructor)
    assert [key for key in parameters(constructor) if len(found.get(key, "").split()) < 2] == []


@pytest.mark.parametrize("constructor", CONSTRUCTORS)
def test_no_description_is_the_rest_of_a_phrase_that_the_key_begins(constructor):
    found = descriptions(constructor)
    assert [key for key in parameters(constructor) if found[key].split()[0] in ("by", "for", "from", "of", "on")] == []
