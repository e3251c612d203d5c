"""Packages for the game's own dialog."""
