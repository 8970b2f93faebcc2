"""Untrusted text: the nearest known word to a misspelt one, and text that is safe to print or to paste into a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

# Escape sequences of terminals: strings with an end (titles, links), sequences (colours, movements), short ones.
_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x80-\x9f]*(?:\x07|\x9c|\x1b\\)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
SYNONYMS = {"gpu": "cuda"}


def nearest(word: str, words: Iterable[str], count: int = 1) -> list[str]:
    """Up to `count` of `words` that `word` may be a misspelling of, the likeliest first; [] if none is close.

    Close is one edit, or one per three letters, or a part of the word (pong of atari/pong), in either case of letters.
    A synonym is closest of all.
    """
    words = list(words)
    synonym = SYNONYMS.get(word.lower())
    if synonym in words:
        return [synonym]
    close = []
    for candidate in words:
        a, b = word.lower(), candidate.lower()
        limit = max(1, max(len(a), len(b)) // 3)
        if fewest(a, b, limit) <= limit and (edits := distance(a, b)) <= limit:
            close.append((edits, candidate))
        elif len(a) >= 3 and a in b:  # after all true misspellings
            close.append((len(b), candidate))
    close.sort(key=lambda pair: pair[0])  # stable: equally near words keep the caller's order
    return [candidate for _, candidate in close[:count]]


def fewest(a: str, b: str, limit: int) -> int:
    """A number that `distance` is never below, for a fraction of its time; not counted further than `limit` allows."""
    least = abs(len(a) - len(b))
    if least > limit:  # also of a word without end
        return least
    extra = sum(max(0, a.count(letter) - b.count(letter)) for letter in set(a))  # an edit changes it by 1 at most
    return max(extra, extra + len(b) - len(a))


def distance(a: str, b: str) -> int:
    """The number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.

    Damerau-Levenshtein in its restricted form: no letter is edited twice.
    """
    older: list[int] = []
    old = list(range(len(b) + 1))
    for i, x in enumerate(a):
        new = [i + 1]
        for j, y in enumerate(b):
            cost = min(old[j + 1] + 1, new[j] + 1, old[j] + (x != y))
            if i and j and x == b[j - 1] and y == a[i - 1]:
                cost = min(cost, older[j - 1] + 1)
            new.append(cost)
        older, old = old, new
    return old[-1]


def printable(text: str, limit: int = 60) -> str:
    """Untrusted text on one line of at most `limit` characters, without escape sequences for a terminal.

    Escape sequences and control characters are removed, other white space becomes a space, and the middle of a text
    that is too long is left out.
    """
    enough = 8 * limit  # looked at from each end
    shortened = len(text) > 2 * enough
    if shortened:
        text = text[:enough] + text[-enough:]
    text = _ESCAPES.sub("", text)
    text = "".join(letter if letter.isprintable() else " " * letter.isspace() for letter in text)
    if len(text) <= limit and not shortened:
        return text
    tail = max(limit - 3, 0) // 3
    return f"{text[: max(limit - 3, 0) - tail]}...{text[len(text) - tail :]}"[:limit]


def encodable(text: str) -> bool:
    """Whether text can be written as UTF-8: an argument cannot be whose bytes the locale does not know."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(text: str) -> str:
    """Text in which a terminal finds nothing to obey: control characters are spelt out, "\\x1b"."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "backslashreplace").decode() for each in text
    )


def shell_word(text: object) -> str:
    """A path or another text as one word of a command to copy, quoted where the shell needs that."""
    word = str(text)
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + escaped(word.replace("\\", "\\\\").replace("'", "\\'")) + "'"
