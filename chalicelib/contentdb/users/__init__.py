"""Users, and what they say of themselves."""
