"""A second opinion on the compliance gate, written apart from it and sharing no code with it."""
