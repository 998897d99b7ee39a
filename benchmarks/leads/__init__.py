"""Leads at depth: the next ones, and why they are not called, at a thousand and at a million."""
