"""Collections of packages."""
