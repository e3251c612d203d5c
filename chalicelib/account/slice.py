"""The declaration of the account service."""

from chalicelib.account import admin_routes, notification_routes, routes, webhook_routes
from chalicelib.account.pages import (
    keys,
    log_in,
    mail_links,
    members,
    notifications,
    settings,
    two_factor,
    unsubscribing,
)
from chalicelib.account.service import service
from chalicelib.web.slice import Slice

account = Slice(
    name="account",
    essential=True,
    title="Accounts",
    service=service,
    routes=(
        *(routes, admin_routes, notification_routes, webhook_routes),
        *(log_in, mail_links, settings, keys, two_factor, notifications, unsubscribing, members),
    ),
    paths=("/account", "/settings"),
    phrases={
        "feed.create": "{actor} created the secret address of the feed of {account}",
        "feed.revoke": "{actor} ended the secret address of the feed of {account}",
        "ssh-key.create": "{actor} created an SSH key",
        "ssh-key.delete": "{actor} deleted the SSH key",
        "ssh-host.delete": "{actor} forgot the SSH host {subject}",
    },
    no_events="accounts, keys and sessions are no published works",
)
