"""Programs that are written beside an exported agent.  They stand alone: the package copies them and imports none."""
