"""The messages to webhooks: made from published events, sent by jobs, and retried over a day.

A message keeps the results of its attempts for 30 days.
"""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from chalicelib.core import audit, events, jobs
from chalicelib.core.errors import Conflict, CoreError, Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.notifications.posting import notify
from chalicelib.core.outbound.fetch import Caps, fetch
from chalicelib.core.published import Event, Follower
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.webhooks import hooks, signing
from chalicelib.core.webhooks.tables import Webhook, WebhookMessage

SPREAD = "spread-webhooks"  # the job that makes the messages of one event
SEND = "send-webhook"  # the job that sends one message
DELAYS = (5, 300, 1800, 7200, 18_000, 25_200, 32_400)  # seconds between attempts; in all a day
GIVE_UP_AFTER = 3 * 86400  # seconds of failures only, until a webhook is disabled
RETENTION = timedelta(days=30)
DISABLED = "webhook.disabled"  # the kind of notifications
PENDING, SENT, FAILED = "pending", "sent", "failed"
_REASONS = {"gone": "is gone", "failures": "has failed for three days"}
_REST = 60  # seconds after a failure in which a receiver gets no other message
_OLDEST = 3 * 86400  # seconds after which a message that waits behind others is not sent any more
_CAPS = Caps(size=1024, seconds=15.0, redirects=0, cut=True)
_KEPT = 20  # results of attempts
_ID = re.compile(r"[0-9]{8}T[0-9]{6}-(?:test)?[0-9]{1,20}")  # of messages


def follow(found: Sequence[Event], writes: Transaction) -> None:
    """Enqueue a job for each event that a webhook gets."""
    find, hooks_of = cache(accounts.find), cache(hooks.list_hooks)
    for event in found:
        if any(hooks.wants(hook, event) for owner in hooks.owners_of(event, find) for hook in hooks_of(owner)):
            jobs.enqueue(writes, SPREAD, {"event": event.number}, once=str(event.number))


FOLLOWER = Follower("webhooks", follow)


def spread(payload: dict[str, Any]) -> None:
    """Make the messages of one event, one for each webhook. Safe to repeat."""
    for event in events.numbered(payload["event"] - 1, 1):
        for owner in hooks.owners_of(event):
            interested = hooks.interested(owner, event)
            for hook in interested if interested and hooks.may_send(owner) else ():
                _make(
                    owner,
                    hook,
                    f"{event.at:%Y%m%dT%H%M%S}-{event.number}",
                    _body(_type_of(event), event.at, event.public()),
                )


def send_test(owner: str, hook: Webhook) -> WebhookMessage:
    """Make a message without an event, to try a webhook out; return it. Raises Conflict for a disabled webhook."""
    _require_enabled(hook)
    at = datetime.now(UTC)
    data = {"webhook": int(hook.id), "description": hook.description}
    return _make(owner, hook, f"{at:%Y%m%dT%H%M%S}-test{at.microsecond:06d}", _body("webhook.test", at, data))


def send_again(owner: str, hook: Webhook, number: str) -> WebhookMessage:
    """Send a message once more, with all its attempts; return it. Raises NotFound, or Conflict."""
    _require_enabled(hook)
    message = get(hook, number)
    writes = Transaction()
    renewed = message.assign(state=PENDING, tries=0, queued_at=datetime.now(UTC))
    writes.update(message, renewed, WebhookMessage.pk.exists(), NotFound("There is no such delivery."))
    _enqueue(writes, owner, message)
    writes.commit()
    return message


def get(hook: Webhook, number: str) -> WebhookMessage:
    """A message of a webhook. Raises NotFound."""
    message = WebhookMessage.find(hooks.messages_of(hook), number)
    if message is None:
        raise NotFound("There is no such delivery.")
    return message


def newest(hook: Webhook, before: str | None, limit: int) -> list[WebhookMessage]:
    """At most `limit` messages of a webhook, newest first: all, or those before the one with the id `before`.

    Raises Invalid if `before` is no id.
    """
    if before is not None and not _ID.fullmatch(before):
        raise Invalid("before is not a cursor of this list.", field="before")
    older = WebhookMessage.sk < before if before else None
    return list(
        WebhookMessage.query(
            hooks.messages_of(hook), older, scan_index_forward=False, limit=limit, consistent_read=True
        )
    )


def send(payload: dict[str, Any]) -> None:
    """Try to send a message. Raises jobs.Reschedule if it must be tried again later."""
    hook = Webhook.find(hooks.pk_of(payload["owner"]), hooks.sk_of(payload["hook"]))
    if hook is None:
        return
    message = WebhookMessage.find(hooks.messages_of(hook), payload["message"])
    if message is None or message.state != PENDING:
        return
    moment = time.time()
    is_late = moment - message.queued_at.timestamp() > _OLDEST
    if hook.disabled_because or is_late or not hooks.may_send(payload["owner"]):
        message.update_or_read(message.assign(state=FAILED), WebhookMessage.pk.exists())
        return
    if int(message.tries) == 0 and hook.rests_until and moment < hook.rests_until:
        raise jobs.Reschedule(float(hook.rests_until) - moment, payload)
    result = _attempt(hook, message)
    message.tries = int(message.tries) + 1
    if result["succeeded"]:
        _succeed(hook, message, result)
    else:
        _fail(hook, message, result, payload)


def _attempt(hook: Webhook, message: WebhookMessage) -> dict[str, Any]:
    """Send a message; return the result for its log."""
    moment = time.time()
    result: dict[str, Any] = {"at": int(moment), "status": None, "error": None, "answer": None}
    body = message.body.encode()
    start = time.monotonic()
    try:
        headers = signing.headers(message_id(hook, message), int(moment), body, hooks.secrets_of(hook))
        answer = fetch(hook.url, _CAPS, method="POST", headers=headers, body=body)
        result |= {"status": answer.status, "answer": answer.body.decode(errors="replace")}
    except CoreError as error:
        result["error"] = error.message
    succeeded = result["status"] is not None and 200 <= result["status"] < 300
    return {**result, "milliseconds": round(1000 * (time.monotonic() - start)), "succeeded": succeeded}


def _succeed(hook: Webhook, message: WebhookMessage, result: dict[str, Any]) -> None:
    _record(message, result, SENT)
    if hook.failing_since:
        hook.update_or_read(hook.assign(failing_since=None, rests_until=None), Webhook.pk.exists())


def _fail(hook: Webhook, message: WebhookMessage, result: dict[str, Any], payload: dict[str, Any]) -> None:
    moment = int(time.time())
    failing_since = int(hook.failing_since or moment)
    is_gone = result["status"] == 410
    is_last = is_gone or int(message.tries) > len(DELAYS)
    _record(message, result, FAILED if is_last else PENDING)
    hook.update_or_read(hook.assign(failing_since=failing_since, rests_until=moment + _REST), Webhook.pk.exists())
    if is_gone or (is_last and moment - failing_since >= GIVE_UP_AFTER):
        _disable(payload["owner"], hook, "gone" if is_gone else "failures")
    elif not is_last:
        raise jobs.Reschedule(DELAYS[int(message.tries) - 1], payload)


def _record(message: WebhookMessage, result: dict[str, Any], state: str) -> None:
    attempts = [*(message.attempts or []), result][-_KEPT:]
    message.update_or_read(
        message.assign(state=state, tries=message.tries, attempts=attempts), WebhookMessage.pk.exists()
    )


def _disable(owner: str, hook: Webhook, reason: str) -> None:
    """Disable a webhook whose receiver is gone or fails for days, unless its owner has done so already."""
    writes = Transaction()
    unchanged = Webhook.pk.exists() & Webhook.disabled_because.does_not_exist()
    writes.update(hook, hook.assign(disabled_because=reason), unchanged)
    kind, _, number = owner.partition("#")
    if kind == "account":
        writes.put(audit.entry(int(number), "webhook.disable", hooks.subject_of(hook), reason=reason))
        subject = f"Your webhook {int(hook.id)} is disabled, because its receiver {_REASONS[reason]}"
        notify(writes, accounts.get(int(number)), DISABLED, subject)
    try:
        writes.commit()
    except Contended:
        return


def message_id(hook: Webhook, message: WebhookMessage) -> str:
    """The id by which the receiver knows a message: the same for all attempts."""
    return f"msg_{int(hook.id)}_{message.sk}"


def _make(owner: str, hook: Webhook, number: str, body: bytes) -> WebhookMessage:
    """Store a message and enqueue its job, unless there is one with this number already."""
    at = datetime.now(UTC)
    message = WebhookMessage(
        hooks.messages_of(hook),
        number,
        body=body.decode(),
        state=PENDING,
        created_at=at,
        queued_at=at,
        expires_at=at + RETENTION,
    )
    writes = Transaction()
    writes.create(message)
    _enqueue(writes, owner, message, int(hook.id))
    try:
        writes.commit()
    except Contended:
        return get(hook, number)
    return message


def _enqueue(writes: Transaction, owner: str, message: WebhookMessage, hook: int | None = None) -> None:
    number = hook if hook is not None else int(message.pk.rpartition("#")[2])
    payload = {"owner": owner, "hook": number, "message": message.sk}
    jobs.enqueue(writes, SEND, payload, once=f"{number}-{message.sk}")


def _require_enabled(hook: Webhook) -> None:
    if hook.disabled_because:
        raise Conflict("The webhook is disabled: enable it first.")


def _type_of(event: Event) -> str:
    return f"{event.service}.{event.kind}.{event.action}"


def _body(kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    """The body of a message."""
    return orjson.dumps({"type": kind, "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "data": data})
