"""The LuaDNS service."""
