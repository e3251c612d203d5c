"""Reviews, and what they add up to."""
