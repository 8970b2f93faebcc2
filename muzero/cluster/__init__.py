"""Actors on Ray: the only folder that imports it, and nothing is imported before actors are asked for."""
