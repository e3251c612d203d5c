"""Runs untrusted Lua programs in confined processes."""
