"""What the game's dialog of a package shows."""
