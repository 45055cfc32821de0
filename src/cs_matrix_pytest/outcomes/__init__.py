"""Attempts, run records, and the rules that turn them into outcomes."""
