"""Our API for owners of modules and manifests, in addition to the upload API.

Keys for one module and read-only keys are rejected. Bodies are JSON objects.
"""

from collections.abc import Callable

from chalicelib.core.caller import Caller
from chalicelib.core.identity import accounts
from chalicelib.luarocks import (
    auth,
    custom_manifests,
    documents,
    index,
    modules,
    owner_wire,
    ownership,
    removal,
    security_audit,
)
from chalicelib.luarocks.service import service
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response
from chalicelib.web.route import ANY, OWN, Handler, Leaves, Permission, SecondFactor

_MODULE = "/api/1/{key}/modules/{user}/{module}"
_VERSION = _MODULE + "/versions/{version}"
_MANIFEST = "/api/1/{key}/manifests/{manifest}"


def _change(
    method: str, path: str, permission: Permission, event: Leaves, second_factor: SecondFactor = auth.UPLOAD_TOKEN
) -> Callable[[Handler], Handler]:
    """Declare a handler that writes."""
    return service.route(
        method, path, auth.KEY, scope="write", permission=permission, second_factor=second_factor, event=event
    )


@service.route("GET", "/api/1/{key}/modules", auth.KEY, permission=OWN)
def list_modules(request: Request, caller: Caller) -> Response:
    """List the modules that the caller owns, alone or with others."""
    owned = index.modules(index.catalogue.snapshot(), index.owner_group(int(caller.account.id)))
    return json_response({"modules": [owner_wire.module_row(entry.value) for _, entry in sorted(owned.items())]})


@service.route("GET", "/api/1/{key}/audit", auth.KEY, permission=OWN, scope="write")
def audit(request: Request, caller: Caller) -> Response:
    """List what was published to the caller's modules, newest first, and the files that were replaced."""
    snapshot, (before, limit) = index.catalogue.snapshot(), owner_wire.parse_audit(request)
    published, further = security_audit.publications(snapshot, caller.account, before, limit)
    return owner_wire.render_audit(published, further, security_audit.replaced(snapshot, caller.account))


@service.route("GET", _MODULE, auth.KEY, permission=auth.MODULE_OWNER)
def show_module(request: Request, caller: Caller) -> Response:
    """Return a module, as its owners see it."""
    entry = modules.get(index.catalogue.snapshot(), *_module(request))
    modules.require_owner(entry.value, caller)
    return owner_wire.render(request, entry)


@_change("PATCH", _MODULE, auth.MODULE_OWNER, Leaves("module", "change", "archive", "restore"))
def edit_module(request: Request, caller: Caller) -> Response:
    """Change a module's description, or archive it."""
    return owner_wire.render(request, modules.edit(*_module(request), caller, **owner_wire.parse_edit(request)))


@_change("PUT", _MODULE + "/root", auth.MODULE_OWNER, Leaves("module", "change"))
def take_root(request: Request, caller: Caller) -> Response:
    """List a module in the root manifest if its name is free there."""
    return owner_wire.render(request, modules.take_root(*_module(request), caller))


@_change("POST", _MODULE + "/transfer", auth.MODULE_HOLDER, Leaves("module", "transfer"))
def transfer(request: Request, caller: Caller) -> Response:
    """Transfer a module to another owner."""
    account = owner_wire.parse_new_holder(request)
    return owner_wire.render(request, ownership.transfer(*_module(request), account, caller))


@_change("DELETE", _MODULE, auth.MODULE_HOLDER, Leaves("module", "delete"))
def delete_module(request: Request, caller: Caller) -> Response:
    """Delete a module."""
    removal.delete_module(*_module(request), caller)
    return Response(204)


@_change("PUT", _MODULE + "/owners/{owner}", auth.MODULE_HOLDER_OR_SELF, Leaves("module", "change"))
def add_owner(request: Request, caller: Caller) -> Response:
    """Invite an account as an additional owner, or accept an invitation."""
    account = accounts.named(request.params["owner"])
    return owner_wire.render(request, ownership.add(*_module(request), account, caller))


@_change("DELETE", _MODULE + "/owners/{owner}", auth.MODULE_HOLDER_OR_SELF, Leaves("module", "change"))
def remove_owner(request: Request, caller: Caller) -> Response:
    """Remove an owner or an invitation."""
    account = accounts.named(request.params["owner"])
    ownership.remove(*_module(request), account, caller)
    return Response(204)


@_change("PATCH", _VERSION, auth.MODULE_OWNER, Leaves("version", "change", "archive", "restore"))
def edit_version(request: Request, caller: Caller) -> Response:
    """Set `archived` or `development` of a version."""
    flags = owner_wire.parse_flags(request)
    entry = removal.edit_version(*_module(request), request.params["version"], caller, flags)
    return owner_wire.render(request, entry)


@_change("DELETE", _VERSION, auth.MODULE_OWNER, Leaves("version", "delete"))
def delete_version(request: Request, caller: Caller) -> Response:
    """Delete a version and its rocks."""
    removal.delete_version(*_module(request), request.params["version"], caller)
    return Response(204)


@_change("DELETE", _VERSION + "/rocks/{arch}", auth.MODULE_OWNER, Leaves("rock", "delete"))
def delete_rock(request: Request, caller: Caller) -> Response:
    """Delete one rock."""
    removal.delete_rock(*_module(request), request.params["version"], request.params["arch"], caller)
    return Response(204)


@service.route("GET", "/api/1/{key}/manifests", auth.KEY, permission=ANY)
def list_manifests(request: Request, caller: Caller) -> Response:
    """List all custom manifests."""
    return json_response({"manifests": [documents.manifest_row(each) for each in custom_manifests.list_manifests()]})


@service.route("GET", _MANIFEST, auth.KEY, permission=ANY)
def show_manifest(request: Request, caller: Caller) -> Response:
    """Return a custom manifest and its modules."""
    manifest = custom_manifests.get(request.params["manifest"])
    listed = index.modules(index.catalogue.snapshot(), index.manifest_group(manifest.name))
    return json_response({"manifest": documents.manifest_row(manifest), "modules": sorted(listed)})


@_change("PUT", _MANIFEST, ANY, Leaves("manifest", "publish"))
def create_manifest(request: Request, caller: Caller) -> Response:
    """Create a manifest."""
    details = owner_wire.parse_manifest(request)
    manifest = custom_manifests.create(request.params["manifest"], caller.account, caller, **details)
    return json_response({"manifest": documents.manifest_row(manifest)}, 201)


@_change("PATCH", _MANIFEST, auth.MANIFEST_ADMIN, Leaves("manifest", "change"), auth.MANIFEST_PROOF)
def edit_manifest(request: Request, caller: Caller) -> Response:
    """Change a manifest's description, open it, or close it."""
    manifest = custom_manifests.edit(request.params["manifest"], caller, **owner_wire.parse_manifest(request))
    return json_response({"manifest": documents.manifest_row(manifest)})


@_change("DELETE", _MANIFEST, auth.MANIFEST_ADMIN, Leaves("manifest", "delete"), auth.MANIFEST_PROOF)
def delete_manifest(request: Request, caller: Caller) -> Response:
    """Delete an empty manifest."""
    custom_manifests.delete(request.params["manifest"], caller)
    return Response(204)


@_change("PUT", _MANIFEST + "/admins/{admin}", auth.MANIFEST_ADMIN, Leaves("manifest", "change"), auth.MANIFEST_PROOF)
def add_admin(request: Request, caller: Caller) -> Response:
    """Add an admin to a manifest."""
    account = accounts.named(request.params["admin"])
    manifest = custom_manifests.add_admin(request.params["manifest"], account, caller)
    return json_response({"manifest": documents.manifest_row(manifest)})


@_change(
    "DELETE", _MANIFEST + "/admins/{admin}", auth.MANIFEST_ADMIN, Leaves("manifest", "change"), auth.MANIFEST_PROOF
)
def remove_admin(request: Request, caller: Caller) -> Response:
    """Remove an admin from a manifest."""
    custom_manifests.remove_admin(request.params["manifest"], accounts.named(request.params["admin"]), caller)
    return Response(204)


@_change(
    "PUT",
    _MANIFEST + "/modules/{user}/{module}",
    auth.MANIFEST_ADMIN_OR_OPEN,
    Leaves("manifest", "change"),
    auth.MANIFEST_PROOF,
)
def add_to_manifest(request: Request, caller: Caller) -> Response:
    """Add a module to a manifest."""
    entry = custom_manifests.add(request.params["manifest"], *_module(request), caller)
    return documents.render_module(request, owner_wire.existing(entry))


@_change(
    "DELETE",
    _MANIFEST + "/modules/{user}/{module}",
    auth.MANIFEST_ADMIN_OR_MODULE_OWNER,
    Leaves("manifest", "change"),
    auth.MANIFEST_PROOF,
)
def remove_from_manifest(request: Request, caller: Caller) -> Response:
    """Remove a module from a manifest."""
    custom_manifests.remove(request.params["manifest"], *_module(request), caller)
    return Response(204)


def _module(request: Request) -> tuple[str, str]:
    return request.params["user"], request.params["module"]
