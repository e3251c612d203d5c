"""LuaDNS' declaration: routes, tables, jobs, scopes, switches and settings."""

from chalicelib.core.declaration import JobHandler, NotificationKind, Scopes, Switch, Table
from chalicelib.luadns import auth, belongings, journal, notify, routes, zones
from chalicelib.luadns.engines import route53
from chalicelib.luadns.git import builds, repositories
from chalicelib.luadns.git import routes as git_routes
from chalicelib.luadns.service import service
from chalicelib.luadns.tables import AREA, LuaDnsItem
from chalicelib.web.slice import Slice

_PHRASES = {
    "luadns.enable": "{actor} enabled LuaDNS' API for {account}",
    "luadns.disable": "{actor} disabled LuaDNS' API for {account}",
    "zone.create": "{actor} created the zone {zone}",
    "zone.update": "{actor} replaced the records of {zone}",
    "repository.save": "{actor} set the repository of {account}: {uri}",
    "repository.delete": "{actor} removed the repository of {account}",
    "zone.build": "{actor} built the zone {zone} from its file",
    "zone.move-servers": "{actor} gave {zone} other name servers",
    "zone.revert": "{actor} restored the records that {zone} had at the serial {to}",
    "zone.secondaries": "{actor} changed the secondary name servers of {zone}",
    "tsig.create": "{actor} created the TSIG key {tsig_key}",
    "tsig.delete": "{actor} deleted the TSIG key {tsig_key}",
    "zone.dynamic-update": "{actor} changed records of {zone} with the TSIG key {tsig_key}",
    "zone.delete": "{actor} deleted the zone {zone}",
    "record.create": "{actor} created a record of {zone}",
    "record.update": "{actor} changed a record of {zone}",
    "record.delete": "{actor} deleted a record of {zone}",
    "record.dynamic-address": "{actor} set the address of {name}",
    "record.create_many": "{actor} created records of {zone}",
    "record.set_many": "{actor} set records of {zone}",
    "record.delete_many": "{actor} deleted records of {zone}",
}

luadns = Slice(
    name="luadns",
    title="LuaDNS",
    no_events="zones are published by DNS, and have a journal of their own",
    service=service,
    routes=(routes, git_routes),
    paths=("/v1", "/notifications", "/nic"),
    tables=(Table(LuaDnsItem, areas=(AREA,), blobs_of=journal.blobs_of, sealed=frozenset({"sealed"})),),
    jobs=(
        JobHandler(journal.APPLY, journal.apply_stored),
        JobHandler(zones.CLEAR, zones.clear, lane="slow"),
        JobHandler(repositories.BUILD, builds.run, lane="slow"),
        JobHandler(notify.NOTIFY, notify.run_notify_job),
        JobHandler(route53.PUBLISH, route53.publish),
        JobHandler(route53.UNPUBLISH, route53.unpublish),
    ),
    scopes=Scopes("zone", "NAME", r"[^\s:]{1,300}"),
    switches=(Switch(auth.SWITCH, "luadns.enable", "luadns.disable"),),
    phrases=_PHRASES,
    notifications=(NotificationKind(builds.NOTIFICATION, "A build of your zones is finished", "mail"),),
    belongings=belongings.BELONGINGS,
    settings=(
        "luadns_engine",
        "luadns_self_service",
        "luadns_name_servers",
        "luadns_hostmaster",
        "luadns_rate",
        "luadns_ttl",
        "luadns_max_zones",
        "luadns_max_records",
        "luadns_delegation_set",
        "luadns_forwarders",
        "luadns_transfer_to",
        "luadns_redirect_to",
        "luadns_forward_to",
        "luadns_max_content",
        "luadns_history_days",
        "luadns_response_rate",
    ),
)
