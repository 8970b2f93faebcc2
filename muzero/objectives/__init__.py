"""Objectives: each module offers interchangeable losses for world models."""
