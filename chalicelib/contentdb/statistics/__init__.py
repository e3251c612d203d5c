"""Counting, statistics and scores."""
