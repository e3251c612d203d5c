"""The templates of the system, which zone files call and new zones can name by `template_id`; see prelude.lua."""

from typing import NamedTuple

from chalicelib.luadns.language import evaluation
from chalicelib.luadns.records import Draft


class ZoneTemplate(NamedTuple):
    """A template. `parameters` can be left out; a new zone has none."""

    id: int
    name: str
    title: str
    parameters: tuple[str, ...] = ()


TEMPLATES = (
    ZoneTemplate(1, "google_workspace", "Mail by Google Workspace"),
    ZoneTemplate(2, "microsoft_365", "Mail by Microsoft 365", ("verification",)),
    ZoneTemplate(3, "github_pages", "A site at GitHub Pages", ("user",)),
    ZoneTemplate(4, "fastmail", "Mail by Fastmail"),
    ZoneTemplate(5, "netlify", "A site at Netlify", ("site",)),
)


def find(number: int) -> ZoneTemplate | None:
    """The template with an id."""
    return next((template for template in TEMPLATES if template.id == number), None)


def records_of(template: ZoneTemplate, zone: str) -> list[Draft]:
    """The records of a template in a zone, without parameters. Raises Busy."""
    source = f'require("templates"):{template.name}()'.encode()
    return [statement.draft for statement in evaluation.evaluate(zone, [("template", source)]).records]
