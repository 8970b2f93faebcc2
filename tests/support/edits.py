"""Misspelt words."""

import string


def one_edit(word):
    """All insertions, deletions, substitutions and swaps of neighbours."""
    letters = string.ascii_lowercase + "_"
    for at in range(len(word) + 1):
        before, rest = word[:at], word[at:]
        yield from (before + letter + rest for letter in letters)
        if rest:
            yield before + rest[1:]
            yield from (before + letter + rest[1:] for letter in letters)
        if len(rest) > 1:
            yield before + rest[1] + rest[0] + rest[2:]
