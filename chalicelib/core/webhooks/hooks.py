"""The webhooks of an owner: an account (`account#7`) gets the events of its works, the server gets all events."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.core import audit, ids, sealing
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.outbound.fetch import check_url
from chalicelib.core.published import Event
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from chalicelib.core.webhooks import signing
from chalicelib.core.webhooks.tables import Webhook

SERVER = "server"  # the owner of the server's webhooks
MOST = 20  # of one owner
OVERLAP = 86400  # seconds for which a replaced secret still signs
FILTERS = ("services", "kinds", "names", "actions")
_LONGEST_URL, _LONGEST_DESCRIPTION, _LONGEST_WORD, _MOST_WORDS = 2000, 255, 200, 50


def of_account(number: int) -> str:
    """The owner of an account's webhooks."""
    return f"account#{number}"


def list_hooks(owner: str) -> list[Webhook]:
    """The webhooks of an owner, oldest first."""
    return list(Webhook.query(pk_of(owner), consistent_read=True))


def get(owner: str, number: int) -> Webhook:
    """A webhook. Raises NotFound."""
    hook = Webhook.find(pk_of(owner), sk_of(number))
    if hook is None:
        raise _unknown()
    return hook


def create(
    owner: str, by: Caller, url: str, description: str, filters: Mapping[str, Iterable[str]]
) -> tuple[Webhook, str]:
    """Create a webhook; return it and its secret. Raises Invalid, or Conflict after `MOST`."""
    _check(url, description, filters)
    if len(list_hooks(owner)) >= MOST:
        raise Conflict(f"There can be at most {MOST} webhooks: delete unused ones first.")
    number, secret = ids.reserve("webhook"), signing.new_secret()
    hook = Webhook(
        pk_of(owner),
        sk_of(number),
        id=number,
        url=url,
        description=description,
        filters={name: list(words) for name, words in filters.items()},
        sealed_secret=sealing.seal(secret, pk_of(owner)),
        created_at=datetime.now(UTC),
    )
    writes = Transaction()
    writes.create(hook)
    writes.put(audit.entry_by(by, "webhook.create", subject_of(hook)))
    writes.commit()
    return hook, secret


def change(
    hook: Webhook,
    by: Caller,
    *,
    url: str | None = None,
    description: str | None = None,
    enabled: bool | None = None,
    filters: Mapping[str, Iterable[str]],
    new_secret: bool = False,
) -> str | None:
    """Change a webhook, where None keeps a value; return its new secret, if there is one. Raises Invalid, NotFound.

    Enabling it ends the record of its failures. A replaced secret signs the messages of another day too.
    """
    _check(url if url is not None else hook.url, description or "", filters)
    given = {"url": url, "description": description}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if filters:
        values["filters"] = {**hook.filters, **{name: list(words) for name, words in filters.items()}}
    if enabled is not None:
        values |= {"disabled_because": None if enabled else "owner", "failing_since": None, "rests_until": None}
    secret = signing.new_secret() if new_secret else None
    if secret:
        values |= {
            "sealed_secret": sealing.seal(secret, hook.pk),
            "former_sealed_secret": hook.sealed_secret,
            "former_until": int(time.time()) + OVERLAP,
        }
    writes = Transaction()
    if values:
        writes.update(hook, hook.assign(**values), Webhook.pk.exists(), _unknown())
    writes.put(audit.entry_by(by, "webhook.change", subject_of(hook)))
    writes.commit()
    return secret


def delete(hook: Webhook, by: Caller) -> None:
    """Delete a webhook. Its messages are not sent any more, and expire. Raises NotFound."""
    writes = Transaction()
    writes.delete(hook, Webhook.pk.exists(), _unknown())
    writes.put(audit.entry_by(by, "webhook.delete", subject_of(hook)))
    writes.commit()


def secrets_of(hook: Webhook) -> list[str]:
    """The secrets that sign messages now: the current one, and the former one for a day."""
    sealed = [hook.sealed_secret]
    if hook.former_sealed_secret and time.time() < int(hook.former_until or 0):
        sealed.append(hook.former_sealed_secret)
    return [sealing.unseal(secret, hook.pk) for secret in sealed]


def interested(owner: str, event: Event) -> list[Webhook]:
    """The webhooks of an owner that get an event: enabled ones, older than the event, whose filters match."""
    return [hook for hook in list_hooks(owner) if wants(hook, event)]


def owners_of(event: Event, find: Callable[[str], Account | None] = accounts.find) -> list[str]:
    """The owners whose webhooks may get an event: the server, and the accounts that the event concerns.

    `find` returns the account with a username.
    """
    named = {int(account.id) for account in map(find, event.owners) if account}
    return [SERVER, *map(of_account, sorted({*event.accounts, *named}))]


def may_send(owner: str) -> bool:
    """Whether messages to the webhooks of an owner are sent: not for a suspended account."""
    kind, _, number = owner.partition("#")
    return kind != "account" or not accounts.get(int(number)).suspended


def wants(hook: Webhook, event: Event) -> bool:
    """Whether a webhook gets an event."""
    if hook.disabled_because or event.at < hook.created_at:
        return False
    values = {"services": event.service, "kinds": event.kind, "names": event.name, "actions": event.action}
    chosen: Mapping[str, list[str]] = hook.filters
    return all(_matches(values[name], words) for name, words in chosen.items() if words)


def subject_of(hook: Webhook) -> str:
    """The webhook as the audit log names it."""
    return f"webhook#{int(hook.id)}"


def pk_of(owner: str) -> str:
    """The partition of an owner's webhooks."""
    return f"webhooks#{owner}"


def messages_of(hook: Webhook) -> str:
    """The partition of a webhook's messages."""
    return f"webhook-messages#{int(hook.id)}"


def partitions(owner: str) -> list[str]:
    """The partitions of an owner's data. Messages are first, because the webhooks are needed to find them."""
    return [*map(messages_of, list_hooks(owner)), pk_of(owner)]


def sk_of(number: int) -> str:
    """The sort key of a webhook."""
    return f"{number:012d}"


def _matches(value: str, words: Iterable[str]) -> bool:
    """Whether one of the words is the value, in any letter case; a word with `*` at its end is a prefix."""
    folded = value.lower()
    return any(folded.startswith(word[:-1].lower()) if word.endswith("*") else folded == word.lower() for word in words)


def _check(url: str, description: str, filters: Mapping[str, Iterable[str]]) -> None:
    if len(url) > _LONGEST_URL:
        raise Invalid(f"url must have at most {_LONGEST_URL} characters.", field="url")
    try:
        check_url(url)
    except Invalid as error:
        raise Invalid(error.message, field="url") from None
    if len(description) > _LONGEST_DESCRIPTION:
        raise Invalid(f"description must have at most {_LONGEST_DESCRIPTION} characters.", field="description")
    for name, words in filters.items():
        listed = list(words)
        if len(listed) > _MOST_WORDS or any(not word or len(word) > _LONGEST_WORD for word in listed):
            raise Invalid(
                f"{name} must have at most {_MOST_WORDS} words of up to {_LONGEST_WORD} characters.", field=name
            )


def _unknown() -> NotFound:
    return NotFound("There is no such webhook.")
