"""The DNS records that name servers publish for the pseudo records REDIRECT and FORWARD.

A REDIRECT becomes A and AAAA records at its name, with the web servers in MOONBASE_LUADNS_REDIRECT_TO. A FORWARD
becomes MX records at the zone's apex, with the mail servers in MOONBASE_LUADNS_FORWARD_TO. Without these settings
pseudo records are stored and counted, but not published. Address and MX records of the zone itself take precedence.
"""

from chalicelib import settings
from chalicelib.luadns.zone_data import Line, Node

_ADDRESSES = {"A", "AAAA", "CNAME", "ALIAS"}


def substitute_redirects(node: Node) -> Node:
    """Return a name's records with addresses instead of REDIRECTs, and without FORWARDs."""
    real = {type_: lines for type_, lines in node.items() if type_ not in ("REDIRECT", "FORWARD")}
    if "REDIRECT" not in node or _ADDRESSES & node.keys():
        return real
    ttl = min(line.ttl for line in node["REDIRECT"])
    lines = [Line("AAAA" if ":" in host else "A", host, ttl) for host in settings.current().luadns_redirect_to]
    addresses = {type_: [line for line in lines if line.type == type_] for type_ in ("A", "AAAA")}
    return real | {type_: found for type_, found in addresses.items() if found}


def add_mail_servers(apex: Node) -> Node:
    """Return the records at the apex of a zone with FORWARDs, with the MX records for them."""
    if "MX" in apex:
        return apex
    lines = [Line("MX", f"10 {host}", settings.current().luadns_ttl) for host in settings.current().luadns_forward_to]
    return {**apex, "MX": lines} if lines else apex
