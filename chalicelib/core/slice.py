"""The core's own declaration: tables, jobs and settings that every service uses."""

from chalicelib.core import catalogue, change_log, events, folds, uploads
from chalicelib.core.declaration import Declaration, JobHandler, RepeatingJob, Table
from chalicelib.core.tables import CoreItem

core = Declaration(
    name="core",
    essential=True,
    tables=(
        Table(
            CoreItem,
            areas=(change_log.AREA,),
            blobs_of=change_log.blobs_of,
            sealed=frozenset({"sealed_secret"}),
        ),
    ),
    jobs=(JobHandler(catalogue.FOLD, folds.fold_one, lane="slow"), JobHandler(events.FOLLOW, events.follow)),
    repeating_jobs=(
        RepeatingJob("fold-catalogues", folds.fold_all, every=86400, lane="slow"),
        RepeatingJob("drop-upload-slots", uploads.delete_expired, every=uploads.LIFETIME),
        RepeatingJob(events.NUMBER, events.number_new, every=events.NUMBER_EVERY),
    ),
    transient_areas=(uploads.AREA,),
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
