"""Account settings: for people in a browser, and for scripts as JSON."""
