"""Screenshots of packages."""
