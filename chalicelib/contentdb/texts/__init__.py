"""Texts that people write: checked, and converted to HTML and to Luanti's markup."""
