"""The account's pages: their forms call the functions of its API."""
