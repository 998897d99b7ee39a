"""The calling floor of the simulator, held against theory and against the sources of other rules."""
