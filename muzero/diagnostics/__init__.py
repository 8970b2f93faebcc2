"""Whether a run is healthy: measured (measures), judged (verdicts), and compared with runs that were (curve)."""
