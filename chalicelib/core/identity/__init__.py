"""Accounts: who they are, how they prove it, how they register, and who has which name."""
