"""Planners: each module offers interchangeable ways to choose moves with a model."""
