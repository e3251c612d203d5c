"""The routes of screenshots, in the order of ContentDB's API page."""

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.media import formats
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.screenshots import gallery
from chalicelib.contentdb.screenshots import wire as screenshot_wire
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.parts import Parts, load_parts
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.core.caller import Caller
from chalicelib.web.bodies import SMALL
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, Leaves

_PERMISSION = auth.may(PackageAction.ADD_SCREENSHOTS)


@service.route("GET", "/api/packages/{author}/{name}/screenshots", ANONYMOUS)
def list_of_package(request: Request) -> Response:
    """List."""
    parts = _load(request)
    shots = gallery.in_order(parts)
    return wire.render([screenshot_wire.render(request.base_url, parts.package, shot) for shot in shots])


@service.route("GET", "/api/packages/{author}/{name}/screenshots/{id}", ANONYMOUS)
def read(request: Request) -> Response:
    """Read."""
    parts = _load(request)
    return wire.render(screenshot_wire.render(request.base_url, parts.package, gallery.get(parts, _id(request))))


@service.route(
    "POST",
    "/api/packages/{author}/{name}/screenshots/new",
    auth.PACKAGE_TOKEN,
    scope="package:",
    permission=_PERMISSION,
    body=formats.LARGEST + SMALL,
    event=Leaves("screenshot", "publish"),
)
def create(request: Request, caller: Caller) -> Response:
    """Create."""
    parts = _load(request)
    gallery.require_may(caller, parts.package, "create")
    parts, shot = gallery.create(caller, parts, screenshot_wire.parse(request, caller))
    return wire.render_success(screenshot=screenshot_wire.render(request.base_url, parts.package, shot))


def _for_screenshot(request: Request) -> Caller:
    """The caller; the screenshot is looked up first, as upstream does."""
    gallery.get(_load(request), _id(request))
    return auth.required(request)


@service.route(
    "DELETE",
    "/api/packages/{author}/{name}/screenshots/{id}",
    auth.token_for_package(_for_screenshot),
    scope="package:",
    permission=_PERMISSION,
    event=Leaves("screenshot", "delete"),
)
def delete(request: Request, caller: Caller) -> Response:
    """Delete."""
    gallery.delete(caller, request.params["author"], request.params["name"], _id(request))
    return wire.render_success()


@service.route(
    "POST",
    "/api/packages/{author}/{name}/screenshots/{id}/approve",
    auth.token_for_package(_for_screenshot),
    scope="package:",
    permission=auth.may(PackageAction.APPROVE_SCREENSHOT),
    event=Leaves("screenshot", "publish"),
)
def approve(request: Request, caller: Caller) -> Response:
    """Approve a screenshot."""
    number = _id(request)
    parts = gallery.approve(request.params["author"], request.params["name"], number, caller)
    shot = screenshot_wire.render(request.base_url, parts.package, parts.screenshots[number])
    return wire.render_success(screenshot=shot)


@service.route(
    "POST",
    "/api/packages/{author}/{name}/screenshots/{id}/refuse",
    auth.token_for_package(_for_screenshot),
    scope="package:",
    permission=auth.may(PackageAction.APPROVE_SCREENSHOT),
    event=Leaves("screenshot", "delete"),
)
def refuse(request: Request, caller: Caller) -> Response:
    """Refuse a screenshot that waits for approval, with a reason for the author and the maintainers."""
    reason = wire.parse_reason(request, least=2)
    gallery.refuse(request.params["author"], request.params["name"], _id(request), reason, caller)
    return wire.render_success()


@service.route(
    "POST",
    "/api/packages/{author}/{name}/screenshots/order",
    auth.PACKAGE_TOKEN,
    scope="package:",
    permission=_PERMISSION,
    event=Leaves("package", "change"),
)
def order(request: Request, caller: Caller) -> Response:
    """Put in order."""
    gallery.require_may(caller, _load(request).package, "change")
    wanted = screenshot_wire.parse_order(request)
    gallery.put_in_order(caller, request.params["author"], request.params["name"], wanted)
    return wire.render_success()


@service.route(
    "POST",
    "/api/packages/{author}/{name}/screenshots/cover-image",
    auth.PACKAGE_TOKEN,
    scope="package:",
    permission=_PERMISSION,
    event=Leaves("package", "change"),
)
def cover_image(request: Request, caller: Caller) -> Response:
    """Set the cover image."""
    gallery.require_may(caller, _load(request).package, "change")
    wanted = screenshot_wire.parse_cover(request)
    gallery.set_cover(caller, request.params["author"], request.params["name"], wanted)
    return wire.render_success()


def _load(request: Request) -> Parts:
    entry = registry.get(index.catalogue.snapshot(), request.params["author"], request.params["name"])
    return load_parts(entry.value.id)


def _id(request: Request) -> int:
    return wire.parse_id(request, "Screenshot not found")
