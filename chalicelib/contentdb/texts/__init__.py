"""Users' texts: validated, and converted to HTML and to Luanti's markup."""
