"""How a move is chosen: each module offers planners behind one contract."""
