"""The core's own declaration: tables, jobs and settings that every service uses."""

from chalicelib.core import (
    addresses,
    catalogue,
    change_log,
    counters,
    events,
    folds,
    invitation_mail,
    recovery,
    uploads,
)
from chalicelib.core.declaration import Declaration, JobHandler, NotificationKind, RepeatingJob, Table
from chalicelib.core.mail import requests
from chalicelib.core.notifications import delivery, posting
from chalicelib.core.tables import CoreItem


def _blobs_of(item: CoreItem) -> list[str | None]:
    return [*change_log.blobs_of(item), *counters.blobs_of(item)]


core = Declaration(
    name="core",
    essential=True,
    tables=(
        Table(
            CoreItem,
            areas=(change_log.AREA, counters.AREA),
            blobs_of=_blobs_of,
            sealed=frozenset({"sealed_secret"}),
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
    ),
    repeating_jobs=(
        RepeatingJob("fold-catalogues", folds.fold_all, every=86400, lane="slow"),
        RepeatingJob("fold-counters", folds.fold_counters, every=86400, lane="slow"),
        RepeatingJob("drop-upload-slots", uploads.delete_expired, every=uploads.LIFETIME),
        RepeatingJob(events.NUMBER, events.number_new, every=events.NUMBER_EVERY),
    ),
    transient_areas=(uploads.AREA,),
    notifications=(
        NotificationKind("account.password", "Your password is changed", "mail", essential=True),
        NotificationKind("account.email", "Your e-mail address is changed", "mail", essential=True),
        NotificationKind("account.two-factor", "Your second factor is changed", "mail", essential=True),
        NotificationKind("session.new-device", "Your account logs in from a new device", "mail"),
        NotificationKind("key.created", "A key is created for your account", "mail"),
        NotificationKind(delivery.REFUSED, "Mail to your address is refused"),
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
        "name_quarantine_days",
        "outbound_networks",
        "contact",
    ),
)
