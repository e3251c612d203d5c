"""Releases: creation, content and checks."""
