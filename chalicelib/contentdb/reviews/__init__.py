"""Reviews, and their effect on scores."""
