"""Topics of the forum."""
