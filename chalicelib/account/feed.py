"""The feed of an account's inbox, at an address with a secret. Only the secret's hash is stored, as a credential."""

from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, NotFound, Unauthenticated
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account

PATH = "/account/feed"
_SERVICE = "feed"


def renew(caller: Caller) -> str:
    """A new secret for the address; the former address becomes invalid."""
    remove(caller)
    return credentials.create(caller.account, _SERVICE, by=caller)[1]


def remove(caller: Caller) -> None:
    """Make the address invalid."""
    for credential in credentials.list_credentials(caller.account):
        if credential.service == _SERVICE and credentials.is_live(caller.account, credential):
            credentials.revoke(credential, caller)


def account_of(secret: str) -> Account:
    """The account whose feed has this secret. Raises NotFound."""
    try:
        return credentials.identify(secret, _SERVICE).account
    except (Unauthenticated, Forbidden):
        raise NotFound("There is no such feed.") from None
