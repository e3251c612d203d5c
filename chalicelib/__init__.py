"""Moonbase: four package and DNS dialects of the Lua world over one core."""
