"""Moonbase: four package and DNS dialects of the Lua world over one core."""

__version__ = "0.1.0"
