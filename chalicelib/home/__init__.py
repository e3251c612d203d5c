"""The root of the host, and the errors for paths of no service."""
