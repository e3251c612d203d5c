"""LuaDNS' REST API: the documented endpoints in the order of LuaDNS' API page, then the undocumented and our own."""

from chalicelib import settings
from chalicelib.core.caller import Caller
from chalicelib.luadns import (
    auth,
    bulk,
    dyndns,
    engines,
    history,
    inputs,
    records,
    restore,
    store,
    transfer_access,
    tsig_keys,
    wire,
    zone_views,
    zones,
)
from chalicelib.luadns.git import repositories
from chalicelib.luadns.service import service
from chalicelib.luadns.store import Owner
from chalicelib.web.bodies import SMALL
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import OWN, Bulk, Requirements

MOST_RECORDS = 5000
MAX_BODY_BYTES = 4 * 1024 * 1024  # of many records


def most_records() -> int:
    """The records that one request can change; each takes half a millisecond of CPU, or one if it is long."""
    return min(MOST_RECORDS, settings.current().luadns_max_records)


def _largest_record() -> int:
    """The largest body with one record, in bytes: JSON escapes can multiply the size of its content."""
    return SMALL + 4 * settings.current().luadns_max_content


_RECORDS = Bulk(most_records, seconds=5)
_BULK: Requirements = {
    "scope": "zone:",
    "permission": auth.ZONE_OWNER,
    "body": MAX_BODY_BYTES,
    "bulk": _RECORDS,
    "slow": True,
}


@service.route("GET", "/v1/users/me", auth.KEY, permission=OWN)
def get_settings(request: Request, caller: Caller) -> Response:
    """Get settings."""
    owner = Owner.of(caller)
    repository = repositories.find(owner)
    return wire.render_user(caller, repository.uri if repository else "", repositories.deploy_key(owner))


@service.route("GET", "/v1/zones", auth.KEY, permission=OWN)
def list_zones(request: Request, caller: Caller) -> Response:
    """List zones."""
    return wire.render_zones(request, store.zones(Owner.of(caller)))


@service.route(
    "POST", "/v1/zones", auth.KEY, scope="write", permission=OWN, body=MAX_BODY_BYTES, bulk=_RECORDS, slow=True
)
def create_zone(request: Request, caller: Caller) -> Response:
    """Create a zone."""
    return wire.render_zone(*zones.create(Owner.of(caller), *inputs.parse_new_zone(request)))


@service.route("GET", "/v1/zones/{zone_id}", auth.KEY, permission=auth.ZONE_OWNER)
def get_zone(request: Request, caller: Caller) -> Response:
    """Get a zone."""
    return wire.render_view(zone_views.of(Owner.of(caller), inputs.parse_zone_id(request)))


@service.route("PUT", "/v1/zones/{zone_id}", auth.KEY, **_BULK)
def update_zone(request: Request, caller: Caller) -> Response:
    """Update a zone."""
    zone_id, (name, drafts) = inputs.parse_zone_id(request), inputs.parse_zone(request)
    return wire.render_zone(*zones.update(Owner.of(caller), zone_id, name, drafts, inputs.parse_match(request)))


@service.route("DELETE", "/v1/zones/{zone_id}", auth.KEY, scope="write", permission=auth.ZONE_OWNER)
def delete_zone(request: Request, caller: Caller) -> Response:
    """Delete a zone."""
    return wire.render_zone(*zones.delete(Owner.of(caller), inputs.parse_zone_id(request), inputs.parse_match(request)))


@service.route("GET", "/v1/zones/{zone_id}/records", auth.KEY, permission=auth.ZONE_OWNER)
def list_records(request: Request, caller: Caller) -> Response:
    """List records."""
    return wire.render_records(request, zone_views.of(Owner.of(caller), inputs.parse_zone_id(request)))


@service.route(
    "POST", "/v1/zones/{zone_id}/records", auth.KEY, scope="zone:", permission=auth.ZONE_OWNER, body=_largest_record
)
def create_record(request: Request, caller: Caller) -> Response:
    """Create a record."""
    zone_id, draft = inputs.parse_zone_id(request), inputs.parse_record(request)
    return wire.render_record(*records.create(Owner.of(caller), zone_id, draft, inputs.parse_match(request)))


@service.route("GET", "/v1/zones/{zone_id}/records/{record_id}", auth.KEY, permission=auth.ZONE_OWNER)
def get_record(request: Request, caller: Caller) -> Response:
    """Get a record."""
    zone_id, record_id = inputs.parse_zone_id(request), inputs.parse_record_id(request)
    return wire.render_record(*store.record(Owner.of(caller), zone_id, record_id))


@service.route(
    "PUT",
    "/v1/zones/{zone_id}/records/{record_id}",
    auth.KEY,
    scope="zone:",
    permission=auth.ZONE_OWNER,
    body=_largest_record,
)
def update_record(request: Request, caller: Caller) -> Response:
    """Update a record."""
    zone_id, record_id = inputs.parse_zone_id(request), inputs.parse_record_id(request)
    draft, if_match = inputs.parse_record(request), inputs.parse_match(request)
    return wire.render_record(*records.update(Owner.of(caller), zone_id, record_id, draft, if_match))


@service.route("DELETE", "/v1/zones/{zone_id}/records/{record_id}", auth.KEY, scope="zone:", permission=auth.ZONE_OWNER)
def delete_record(request: Request, caller: Caller) -> Response:
    """Delete a record."""
    zone_id, record_id = inputs.parse_zone_id(request), inputs.parse_record_id(request)
    return wire.render_record(*records.delete(Owner.of(caller), zone_id, record_id, inputs.parse_match(request)))


@service.route("GET", "/v1/zones/{zone_id}/ds_records", auth.KEY, permission=auth.ZONE_OWNER)
def list_ds_records(request: Request, caller: Caller) -> Response:
    """List DS records."""
    zone = store.zone(Owner.of(caller), inputs.parse_zone_id(request))
    return wire.render_ds_records(zone, engines.current().ds_records(zone))


@service.route("POST", "/v1/zones/{zone_id}/records/create_many", auth.KEY, **_BULK)
def create_many_records(request: Request, caller: Caller) -> Response:
    """Create many records."""
    zone_id, drafts = inputs.parse_zone_id(request), inputs.parse_records(request)
    return wire.render_changed(*bulk.create_many(Owner.of(caller), zone_id, drafts, inputs.parse_match(request)))


@service.route("PATCH", "/v1/zones/{zone_id}/records", auth.KEY, **_BULK)
def update_many_records(request: Request, caller: Caller) -> Response:
    """Replace the record sets of every name and type in the input."""
    zone_id, drafts = inputs.parse_zone_id(request), inputs.parse_records(request)
    return wire.render_changed(*bulk.set_many(Owner.of(caller), zone_id, drafts, inputs.parse_match(request)))


@service.route("POST", "/v1/zones/{zone_id}/records/delete_many", auth.KEY, **_BULK)
def delete_many_records(request: Request, caller: Caller) -> Response:
    """Delete many records."""
    zone_id, patterns = inputs.parse_zone_id(request), inputs.parse_patterns(request)
    return wire.render_changed(*bulk.delete_many(Owner.of(caller), zone_id, patterns, inputs.parse_match(request)))


@service.route("GET", "/v1/zones/{zone_id}/history", auth.KEY, permission=auth.ZONE_OWNER)
def list_changes(request: Request, caller: Caller) -> Response:
    """List the newest changes of a zone."""
    limit, before = inputs.parse_history_range(request)
    zone = store.zone(Owner.of(caller), inputs.parse_zone_id(request))
    return wire.render_history(zone, history.described(zone, limit, before))


@service.route("POST", "/v1/zones/{zone_id}/revert", auth.KEY, scope="zone:", permission=auth.ZONE_OWNER, slow=True)
def revert_zone(request: Request, caller: Caller) -> Response:
    """Restore the records that a zone had at an earlier serial."""
    zone_id, serial = inputs.parse_zone_id(request), inputs.parse_serial(request)
    return wire.render_changed(*restore.revert(Owner.of(caller), zone_id, serial, inputs.parse_match(request)))


@service.route("GET", "/v1/zones/{zone_id}/secondaries", auth.KEY, permission=auth.ZONE_OWNER)
def list_secondaries(request: Request, caller: Caller) -> Response:
    """List the secondary name servers of a zone."""
    return wire.render_secondaries(store.zone(Owner.of(caller), inputs.parse_zone_id(request)))


@service.route("PUT", "/v1/zones/{zone_id}/secondaries", auth.KEY, scope="zone:", permission=auth.ZONE_OWNER)
def replace_secondaries(request: Request, caller: Caller) -> Response:
    """Replace the secondary name servers of a zone."""
    zone_id, wanted = inputs.parse_zone_id(request), inputs.parse_secondaries(request)
    return wire.render_secondaries(transfer_access.replace(Owner.of(caller), zone_id, wanted))


@service.route("GET", "/v1/tsig_keys", auth.KEY, scope="write", permission=OWN)
def list_tsig_keys(request: Request, caller: Caller) -> Response:
    """List the TSIG keys of the account."""
    return wire.render_tsig_keys(tsig_keys.listed(Owner.of(caller)))


@service.route("POST", "/v1/tsig_keys", auth.KEY, scope="write", permission=OWN)
def create_tsig_key(request: Request, caller: Caller) -> Response:
    """Create a TSIG key; only this response has its secret."""
    return wire.render_tsig_key(*tsig_keys.create(Owner.of(caller), *inputs.parse_tsig_key(request)))


@service.route("DELETE", "/v1/tsig_keys/{tsig_key}", auth.KEY, scope="write", permission=OWN)
def delete_tsig_key(request: Request, caller: Caller) -> Response:
    """Delete a TSIG key."""
    return wire.render_tsig_key(tsig_keys.delete(Owner.of(caller), request.params["tsig_key"]))


@service.route("GET", "/v1/zones/{zone_id}/export", auth.KEY, permission=auth.ZONE_OWNER)
def export_zone(request: Request, caller: Caller) -> Response:
    """Export a zone as a BIND zone file."""
    return wire.render_file(*store.contents(Owner.of(caller), inputs.parse_zone_id(request)))


@service.route(
    "POST",
    "/v1/zones/{zone_id}/import",
    auth.KEY,
    scope="zone:",
    permission=auth.ZONE_OWNER,
    body=inputs.MAX_FILE_BYTES,
    bulk=_RECORDS,
    slow=True,
)
def import_zone(request: Request, caller: Caller) -> Response:
    """Import a BIND zone file."""
    from chalicelib.luadns import zonefile

    zone_id, if_match, (text, replace) = (
        inputs.parse_zone_id(request),
        inputs.parse_match(request),
        inputs.parse_file(request),
    )
    found = zonefile.load(Owner.of(caller), zone_id, text, if_match, replace=replace, most=request.most_items)
    return wire.render_changed(*found)


@service.route("GET", dyndns.PATH, auth.TEXT_KEY, scope="zone:", permission=OWN, writes=True)
def update_addresses(request: Request, caller: Caller) -> Response:
    """Set the addresses of hosts by dyndns2."""
    return dyndns.render(dyndns.update(Owner.of(caller), dyndns.parse(request)))
