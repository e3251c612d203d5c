"""Downloads of zips and images."""
