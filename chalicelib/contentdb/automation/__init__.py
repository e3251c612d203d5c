"""Releases that a Git host or this server starts: webhooks, and the detection of updates."""
