"""All tables: what one machine makes at its first start, and a stack on AWS has from its template."""

from chalicelib.contentdb.store.tables import ContentDbItem
from chalicelib.core.storage import Item
from chalicelib.core.tables import CoreItem
from chalicelib.hel.tables import HelItem
from chalicelib.luadns.tables import LuaDnsItem
from chalicelib.luarocks.tables import LuaRocksItem

MODELS: list[type[Item]] = [CoreItem, LuaRocksItem, ContentDbItem, HelItem, LuaDnsItem]
