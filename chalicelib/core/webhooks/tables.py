"""The items of webhooks, in the core's table. The docstring of each has its `pk` / `sk`."""

from pynamodb.attributes import (
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)

from chalicelib.core.tables import CoreItem


class Webhook(CoreItem, discriminator="webhook"):
    """A URL that gets published events. `webhooks#<owner>` / `<id, 12 digits>`."""

    url = UnicodeAttribute()
    description = UnicodeAttribute(default="")
    filters = JSONAttribute()  # lists of words by the names in hooks.FILTERS; an empty or missing list allows all
    sealed_secret = UnicodeAttribute()
    former_sealed_secret = UnicodeAttribute(null=True)
    former_until = NumberAttribute(null=True)  # epoch seconds, until which the former secret signs too
    created_at = UTCDateTimeAttribute()
    disabled_because = UnicodeAttribute(null=True)  # owner, failures or gone; None while it is enabled
    failing_since = NumberAttribute(null=True)  # the first failure since the last success, in epoch seconds
    rests_until = NumberAttribute(null=True)  # epoch seconds


class WebhookMessage(CoreItem, discriminator="webhook-message"):
    """A message to a webhook. `webhook-messages#<id of the webhook>` / `<time>-<number of the event>`."""

    body = UnicodeAttribute()  # JSON
    state = UnicodeAttribute()  # pending, sent or failed
    tries = NumberAttribute(default=0)  # since it was enqueued
    attempts = JSONAttribute(null=True)  # their results, see deliveries
    created_at = UTCDateTimeAttribute()
    queued_at = UTCDateTimeAttribute()
