"""Runs as one page: what is read of them (collect), drawn (charts), and written (page)."""
