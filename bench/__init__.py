"""Measurements: `python -m bench.<subject>` prints a small table. Tests count calls instead; see CONTRIBUTING.md."""
