"""The core's own declaration: tables, jobs and settings that every service uses."""

from chalicelib.core import addresses, event_notices, events, folds, uploads
from chalicelib.core.catalogues import catalogue, change_log, counters
from chalicelib.core.declaration import Declaration, JobHandler, NotificationKind, RepeatingJob, Table
from chalicelib.core.identity import invitation_mail, recovery
from chalicelib.core.mail import requests
from chalicelib.core.notifications import delivery, posting
from chalicelib.core.tables import CoreItem
from chalicelib.core.transparency import log, verifying
from chalicelib.core.webhooks import deliveries


def _blobs_of(item: CoreItem) -> list[str | None]:
    return [*change_log.blobs_of(item), *counters.blobs_of(item)]


_PHRASES = {
    "account.create": "the account {account} was created",
    "account.password": "{actor} changed the password of {account}",
    "account.email": "{actor} changed the e-mail address of {account}",
    "account.email-confirmed": "{actor} confirmed the e-mail address of {account}",
    "account.rank": "{actor} set the rank of {account} to {rank}",
    "account.suspend": "{actor} suspended {account}",
    "account.restore": "{actor} restored {account}",
    "account.delete": "{actor} deleted {account}",
    "session.create": "{account} logged in",
    "session.revoke": "{actor} ended a session of {account}",
    "session.end-all": "{actor} ended the sessions of {account}",
    "log-in.create": "{account} entered the password; the code was still to come",
    "log-in.revoke": "{account} entered the code of a log-in",
    "second-factor.create": "{account} proved the second factor for uploads",
    "second-factor.revoke": "{actor} ended a proof of the second factor of {account}",
    "two-factor.enable": "{actor} turned two-factor authentication on for {account}",
    "two-factor.disable": "{actor} turned two-factor authentication off for {account}",
    "two-factor.recovery-codes": "{actor} renewed the recovery codes of {account}",
    "two-factor.uploads": "{actor} set whether uploads of {account} need a second factor: {required}",
    "two-factor.open-window": "{actor} opened the upload window of {key}",
    "two-factor.close-window": "{actor} closed the upload window of {key}",
    "confirm-address.create": "a link to confirm the e-mail address of {account} was made",
    "confirm-address.revoke": "a link to confirm the e-mail address of {account} was ended",
    "password-link.create": "a link for a new password of {account} was made",
    "password-link.revoke": "a link for a new password of {account} was ended",
    "notifications.settings": "{actor} changed the notifications of {account}",
    "invitation.create": "{actor} created the invitation {subject}",
    "invitation.revoke": "{actor} revoked the invitation {subject}",
    "webhook.create": "{actor} created the webhook {subject}",
    "webhook.change": "{actor} changed the webhook {subject}",
    "webhook.delete": "{actor} deleted the webhook {subject}",
    "webhook.disable": "the webhook {subject} was disabled: {reason}",
}

core = Declaration(
    name="core",
    phrases=_PHRASES,
    essential=True,
    tables=(
        Table(
            CoreItem,
            areas=(change_log.AREA, counters.AREA),
            blobs_of=_blobs_of,
            sealed=frozenset({"sealed_secret", "former_sealed_secret"}),
        ),
    ),
    jobs=(
        JobHandler(catalogue.FOLD, folds.fold_one, lane="slow"),
        JobHandler(events.FOLLOW, events.follow),
        JobHandler(posting.MAIL_ONE, delivery.mail_one, lane="slow"),
        JobHandler(posting.MAIL_DIGEST, delivery.mail_digest, lane="slow"),
        JobHandler(requests.CONFIRMATION, addresses.mail_confirmation, lane="slow"),
        JobHandler(requests.PASSWORD_LINK, recovery.mail_password_link, lane="slow"),
        JobHandler(requests.INVITATION, invitation_mail.mail_invitation, lane="slow"),
        JobHandler(deliveries.SPREAD, deliveries.spread),
        JobHandler(deliveries.SEND, deliveries.send, lane="slow"),
    ),
    repeating_jobs=(
        RepeatingJob("fold-catalogues", folds.fold_all, every=86400, lane="slow"),
        RepeatingJob("fold-counters", folds.fold_counters, every=86400, lane="slow"),
        RepeatingJob("store-days", folds.store_days, every=3600, lane="slow"),
        RepeatingJob("drop-upload-slots", uploads.delete_expired, every=uploads.LIFETIME),
        RepeatingJob(events.NUMBER, events.number_new, every=events.NUMBER_EVERY),
    ),
    transient_areas=(uploads.AREA,),
    followers=(log.FOLLOWER, event_notices.FOLLOWER, deliveries.FOLLOWER),
    checks=(verifying.compare_events,),
    notifications=(
        NotificationKind("account.password", "Your password is changed", "mail", essential=True),
        NotificationKind("account.email", "Your e-mail address is changed", "mail", essential=True),
        NotificationKind("account.two-factor", "Your second factor is changed", "mail", essential=True),
        NotificationKind("session.new-device", "Your account logs in from a new device", "mail"),
        NotificationKind("key.created", "A key is created for your account", "mail"),
        NotificationKind(event_notices.PUBLISHED, "Someone else publishes something of yours"),
        NotificationKind(event_notices.CHANGED, "Someone else changes, archives or restores something of yours"),
        NotificationKind(event_notices.REMOVED, "Someone else transfers or deletes something of yours", "mail"),
        NotificationKind(delivery.REFUSED, "Mail to your address is refused"),
        NotificationKind(deliveries.DISABLED, "A webhook of yours is disabled, because its receiver fails"),
    ),
    settings=(
        "tables",
        "services",
        "read_only",
        "read_only_check",
        "region",
        "blobs",
        "key_file",
        "kms_key",
        "queue",
        "base_url",
        "smtp_url",
        "mail_from",
        "mail_base_url",
        "max_body",
        "body_memory",
        "max_answer",
        "registration",
        "registration_rate",
        "immutable",
        "name_quarantine_days",
        "outbound_networks",
        "contact",
        "lua_evaluator",
    ),
)
