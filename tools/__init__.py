"""Developers' scripts: what `make` runs besides the tools from the lock file."""
