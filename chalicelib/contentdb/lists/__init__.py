"""Lists of packages, and what is searched in them."""
