"""Hel's items, all in one table. `pk`/`sk` of each stand in its docstring."""

from pynamodb.attributes import DiscriminatorAttribute

from chalicelib import settings
from chalicelib.core.storage import Item, table_name


class HelItem(Item):
    """Any item of Hel's table."""

    class Meta:
        table_name = table_name("hel")
        region = settings.current().region

    kind = DiscriminatorAttribute()
