"""Run Apache CloudStack's Marvin tests with pytest over a matrix of environments."""

__version__ = "0.1.0"
