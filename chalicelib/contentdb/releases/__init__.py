"""Releases: what they hold, and where they come from."""
