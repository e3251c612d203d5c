"""Luanti ContentDB: packages of the game's Content browser."""
