"""Helpers that every folder may use: text, files, seeds, signals.  They know nothing of learning."""
