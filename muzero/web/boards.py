"""Positions as squares that can be clicked, in plain values for the page."""

from __future__ import annotations

from typing import Any

from muzero.interactive.boards import LOOKS, board_of, taps
from muzero.interfaces import Rules


def board(rules: Rules | None) -> dict[str, Any] | None:
    """A position as squares; None where the game has no such board.

    Returns:
        shape: how it looks.  rows, columns: labels.
        cells: for each square, row by row, None or [side, glyph, name] of the piece.
        taps: for each legal move, what to click: a list of lists of squares.
    """
    seen = board_of(rules)
    if rules is None or seen is None:
        return None
    clicks = taps(rules, seen)
    if not clicks and not rules.over:  # a variant of the game whose moves have other names
        return None
    return {
        "shape": seen.shape,
        "rows": seen.rows,
        "columns": seen.columns,
        "cells": seen.cells,
        "taps": clicks,
    }


def player(rules: Rules, number: int) -> str:
    """What a player is called: by the colour of its pieces where these are drawn, with their letter if it differs."""
    called = rules.player(number)
    letter = called.partition(",")[0]
    look = LOOKS.get(rules.game)
    piece = None if look is None else look.pieces.get(letter)
    if piece is None:
        return called if look is None else letter
    return piece.name if piece.name.startswith(letter) else f"{piece.name} ({letter})"
