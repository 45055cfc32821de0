"""Marvin 4.4.0 from PyPI is Python 2 source: ported while it is imported, in memory, its files untouched.

`rules` and `patches` say what changes, as data; `translate` applies them; `cache` keeps the compiled result per user;
`finder` is what Python's import system meets; `additions` gives it the few names that today's suites expect.
"""
