"""The declaration of the account service."""

from chalicelib.account import admin_routes, routes
from chalicelib.account.pages import keys, log_in, members, settings, two_factor
from chalicelib.account.service import service
from chalicelib.web.slice import Slice

account = Slice(
    name="account",
    essential=True,
    title="Accounts",
    service=service,
    routes=(routes, admin_routes, log_in, settings, keys, two_factor, members),
    paths=("/account", "/settings"),
    no_events="accounts, keys and sessions are no published works",
)
