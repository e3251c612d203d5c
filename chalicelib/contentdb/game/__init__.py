"""What the game's own dialog shows of a package."""
