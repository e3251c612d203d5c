"""Hel Repository: OpenComputers packages."""
