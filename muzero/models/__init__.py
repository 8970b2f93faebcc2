"""How the world is represented: each module offers world models behind one contract."""
