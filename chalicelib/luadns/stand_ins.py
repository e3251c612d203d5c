"""What stands in the DNS for REDIRECT and FORWARD, of which it knows nothing: the hosts that do such work.

A REDIRECT is A and AAAA records, at its name, of the web servers in MOONBASE_LUADNS_REDIRECT_TO; a FORWARD is MX
records, at the zone's apex, of the mail servers in MOONBASE_LUADNS_FORWARD_TO. Without these settings they are stored
and counted, and not published. Records that are there for themselves come first.
"""

from chalicelib import settings
from chalicelib.luadns.zone_data import Line, Node

_ADDRESSES = {"A", "AAAA", "CNAME", "ALIAS"}


def replaced(node: Node) -> Node:
    """A name's records with addresses in place of a REDIRECT, and without FORWARDs."""
    kept = {type_: lines for type_, lines in node.items() if type_ not in ("REDIRECT", "FORWARD")}
    if "REDIRECT" not in node or _ADDRESSES & node.keys():
        return kept
    ttl = min(line.ttl for line in node["REDIRECT"])
    lines = [Line("AAAA" if ":" in host else "A", host, ttl) for host in settings.current().luadns_redirect_to]
    stand_ins = {type_: [line for line in lines if line.type == type_] for type_ in ("A", "AAAA")}
    return kept | {type_: found for type_, found in stand_ins.items() if found}


def with_mail(apex: Node) -> Node:
    """The apex's records of a zone with FORWARDs."""
    if "MX" in apex:
        return apex
    lines = [Line("MX", f"10 {host}", settings.current().luadns_ttl) for host in settings.current().luadns_forward_to]
    return {**apex, "MX": lines} if lines else apex
