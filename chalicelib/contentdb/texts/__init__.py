"""Texts that people write, as HTML and as Luanti's markup."""
