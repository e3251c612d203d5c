"""The declaration of Hel."""

from chalicelib.core.catalogues.counters import SLOT
from chalicelib.core.declaration import RepeatingJob, Scopes, Table
from chalicelib.hel import belongings, counts, history, index, routes, users
from chalicelib.hel.pages import users as user_pages
from chalicelib.hel.tables import HelItem
from chalicelib.web.slice import Shelf, Slice

hel = Slice(
    name="hel",
    title="Hel",
    immutable=True,
    service=routes.service,
    routes=(routes,),
    paths=("/packages", "/hel", "/auth", "/users", "/profile"),
    tables=(Table(HelItem, areas=(index.AREA,), blobs_of=index.blobs_of),),
    catalogues=(index.catalogue, users.catalogue),
    counters=(counts.counters,),
    repeating_jobs=(
        RepeatingJob("hel-counts", counts.counters.publish, every=SLOT),
        RepeatingJob("hel-users", users.refresh, every=users.REFRESH_EVERY),
    ),
    scopes=Scopes("package", "NAME", r"[^\s:/]{1,100}"),
    works=Shelf("OpenComputers packages", user_pages.works_of),
    phrases=history.PHRASES,
    belongings=belongings.BELONGINGS,
    settings=(
        "hel_short_description",
        "hel_page",
        "hel_page_bytes",
        "hel_longest_page",
        "hel_packages",
        "hel_package_bytes",
        "hel_file_bytes",
        "hel_largest_file",
        "hel_origins",
    ),
)
