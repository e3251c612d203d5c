"""The pages of the account: forms on the functions of its API."""
