"""The declaration of ContentDB."""

from chalicelib.contentdb import belongings, routes
from chalicelib.contentdb.automation import routes as automation_routes
from chalicelib.contentdb.automation import update_job, updates
from chalicelib.contentdb.collections import routes as collection_routes
from chalicelib.contentdb.downloads import routes as download_routes
from chalicelib.contentdb.game import routes as client_routes
from chalicelib.contentdb.game import text_routes
from chalicelib.contentdb.media import files, served
from chalicelib.contentdb.moderation import promotion, queue
from chalicelib.contentdb.moderation import routes as moderation_routes
from chalicelib.contentdb.packages import support_job
from chalicelib.contentdb.pages import package as package_page
from chalicelib.contentdb.releases import check, publishing
from chalicelib.contentdb.releases import routes as release_routes
from chalicelib.contentdb.reviews import counts as review_counts
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import lifecycle
from chalicelib.contentdb.reviews import routes as review_routes
from chalicelib.contentdb.screenshots import routes as screenshot_routes
from chalicelib.contentdb.service import service
from chalicelib.contentdb.statistics import booking, compaction, counting, history
from chalicelib.contentdb.statistics import routes as stats_routes
from chalicelib.contentdb.store import history as store_history
from chalicelib.contentdb.store import index, notices, permissions, popularity, reference, support_jobs, waiting
from chalicelib.contentdb.store.tables import ContentDbItem
from chalicelib.contentdb.users import routes as user_routes
from chalicelib.core.declaration import JobHandler, NotificationKind, RepeatingJob, Scopes, Table
from chalicelib.web.slice import Shelf, Slice

_HOURLY, _DAILY = 3600, 86400
_HOOKS = ("/github/webhook", "/gitlab/webhook", "/gitea/webhook", "/forgejo/webhook")

contentdb = Slice(
    name="contentdb",
    title="Luanti ContentDB",
    service=service,
    routes=(
        routes,
        release_routes,
        screenshot_routes,
        review_routes,
        moderation_routes,
        collection_routes,
        user_routes,
        stats_routes,
        text_routes,
        client_routes,
        automation_routes,
        download_routes,
        package_page,
    ),
    paths=("/api", "/packages/{owner}/{name}", "/uploads", "/thumbnails", "/tasks", *_HOOKS),
    tables=(Table(ContentDbItem, areas=(files.AREA,), blobs_of=files.blobs_of, sealed=frozenset({"sealed"})),),
    catalogues=(index.catalogue, review_index.catalogue),
    counters=(popularity.counters, history.recent),
    jobs=(
        JobHandler(publishing.CHECK, check.check, lane="slow"),
        JobHandler(support_jobs.DERIVE, support_job.derive, lane="slow"),
        JobHandler(updates.CHECK, update_job.check, lane="slow"),
        JobHandler(lifecycle.DROP_VOTES, lifecycle.drop_votes),
        JobHandler(compaction.GATHER, compaction.gather_of_user),
    ),
    repeating_jobs=(
        RepeatingJob("seed-contentdb", reference.seed_daily, every=_DAILY),
        RepeatingJob("contentdb-enqueue-update-checks", updates.enqueue_due, every=_HOURLY),
        RepeatingJob("contentdb-book-downloads", booking.book, every=counting.SLOT),
        RepeatingJob(
            "contentdb-promote-members", promotion.promote, every=_DAILY, lane="slow", resume=promotion.promote
        ),
        RepeatingJob(
            "contentdb-compact-statistics",
            compaction.compact,
            every=_DAILY,
            lane="slow",
            resume=compaction.compact,
        ),
    ),
    checks=(review_counts.inconsistencies, waiting.inconsistencies),
    scopes=Scopes("package", "AUTHOR/NAME", r"[^\s:/]{1,100}/[^\s:/]{1,200}"),
    ranks=permissions.RANKS,
    pending=queue.pending,
    works=Shelf("Luanti packages", package_page.works_of),
    served_files=served.served_files,
    notifications=(
        *notices.KINDS,
        NotificationKind(update_job.UPDATE, "The repository of a package has a new version"),
    ),
    phrases=store_history.PHRASES,
    page_of=store_history.page_of,
    belongings=belongings.BELONGINGS,
    settings=(
        "contentdb_max_upload",
        "contentdb_strict_names",
        "contentdb_screenshot_width",
        "contentdb_screenshot_height",
        "contentdb_promotion_days",
        "contentdb_blocked_domains",
    ),
)
