"""Environments: the file that names them, their contexts, their secrets, and asking a live server for its facts."""
