"""LuaRocks: the upload API and the rock server of LuaRocks.org."""
