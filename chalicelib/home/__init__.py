"""The front door: what this server offers, and the answer where no service lives."""
