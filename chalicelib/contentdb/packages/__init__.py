"""Packages: their rules and their JSON."""
