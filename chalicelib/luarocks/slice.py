"""The declaration of LuaRocks."""

from chalicelib.core.catalogues.counters import SLOT
from chalicelib.core.declaration import JobHandler, RepeatingJob, Scopes, Table
from chalicelib.luarocks import belongings, downloads, history, index, owner_routes, read_routes, removal, routes
from chalicelib.luarocks.pages import modules as module_pages
from chalicelib.luarocks.service import service
from chalicelib.luarocks.tables import LuaRocksItem
from chalicelib.web.slice import Shelf, Slice

luarocks = Slice(
    name="luarocks",
    title="LuaRocks",
    service=service,
    routes=(routes, owner_routes, read_routes),
    immutable=True,
    paths=("/{file}", "/api/tool_version", "/api/1", "/dev", "/manifests", "/m", "/modules", "/repositories"),
    tables=(Table(LuaRocksItem, areas=(index.AREA,), blobs_of=index.blobs_of, nested_archives=True),),
    catalogues=(index.catalogue,),
    counters=(downloads.counters,),
    jobs=(JobHandler(removal.SWEEP, removal.sweep),),
    repeating_jobs=(RepeatingJob("luarocks-downloads", downloads.publish, every=SLOT),),
    scopes=Scopes("module", "NAME", r"[^\s:]{1,300}"),
    works=Shelf("LuaRocks modules", module_pages.works_of),
    served_files=index.served_files,
    phrases=history.PHRASES,
    page_of=history.page_of,
    belongings=belongings.BELONGINGS,
    settings=("luarocks_reads", "luarocks_tool_version", "luarocks_max_upload"),
)
