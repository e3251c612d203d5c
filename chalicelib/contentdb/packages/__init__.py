"""Packages: their rules, and how clients see them."""
