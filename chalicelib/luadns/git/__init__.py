"""Zones from files: which file makes which zone, plans, repositories and builds."""
