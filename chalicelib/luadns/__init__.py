"""The LuaDNS REST API, and what answers for its zones."""
