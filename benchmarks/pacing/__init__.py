"""Pacing in figures: days simulated in cells of scenario and rule, kept in a file, told as tables and charts."""
