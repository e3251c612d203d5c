"""Outgoing webhooks in the Standard Webhooks format: published events are sent to the URLs that accounts name.

`hooks` has the webhooks of an account or of the server, `deliveries` their messages, `signing` the format.
"""
