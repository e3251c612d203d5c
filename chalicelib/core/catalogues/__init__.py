"""Catalogues: entries in shards, the log of their changes, the counters next to them, and values that are derived."""
