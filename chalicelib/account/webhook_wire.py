"""Webhooks and their deliveries as JSON."""

from collections.abc import Mapping
from typing import Any

import orjson

from chalicelib.account.wire import JSON, moment
from chalicelib.core.webhooks.hooks import FILTERS
from chalicelib.core.webhooks.tables import Webhook, WebhookMessage


def filters(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """The filters in a body, without those that are missing."""
    return {name: given[name] for name in FILTERS if given[name] is not None}


def webhook(hook: Webhook) -> JSON:
    """A webhook, without its secret."""
    return {
        "id": int(hook.id),
        "url": hook.url,
        "description": hook.description,
        **{name: list(hook.filters.get(name, ())) for name in FILTERS},
        "enabled": hook.disabled_because is None,
        "disabled_because": hook.disabled_because,
        "failing_since": moment(hook.failing_since),
        "created_at": moment(hook.created_at),
    }


def delivery(message: WebhookMessage) -> JSON:
    """A message with the results of its attempts."""
    return {
        "id": message.sk,
        "state": message.state,
        "message": orjson.loads(message.body),
        "created_at": moment(message.created_at),
        "attempts": [_attempt(result) for result in message.attempts or []],
    }


def _attempt(result: Mapping[str, Any]) -> JSON:
    return {
        "at": moment(result["at"]),
        **{name: result[name] for name in ("status", "error", "answer", "milliseconds")},
    }
