"""The parameters of a stack's template, checked before they are sent to CloudFormation."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from infra.account import AwsAccount
from infra.stages import Refused

HOSTS = ("HostName", "HostName2", "HostName3", "HostName4")
# Parameters that need another one.
_NEEDS = {
    **dict.fromkeys(HOSTS, "Certificate"),
    "HostName2": "HostName",
    "HostName3": "HostName2",
    "HostName4": "HostName3",
    "LuaDnsDelegationSet": "LuaDnsNameServers",
    "MailFrom": "HostName",  # links in mails need a host
}

Definitions = Mapping[str, Mapping[str, Any]]


def read(pairs: Sequence[str]) -> dict[str, str]:
    """Parse several `NAME=VALUE`. Raises Refused."""
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise Refused(f"{pair!r} is not NAME=VALUE")
        given[name] = value
    return given


def choose(definitions: Definitions, previous: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str | None]:
    """The given values by name, and None for each parameter that keeps its previous value. Raises Refused."""
    for name, value in given.items():
        if name not in definitions:
            raise Refused(f"there is no parameter {name}; there are: {', '.join(definitions)}")
        if not _fits(definitions[name], value):
            raise Refused(f"{name} must be {definitions[name]['ConstraintDescription']}, not {value!r}")
    chosen: dict[str, str | None] = {name: None for name in previous if name in definitions}
    return {**chosen, **given}


def check(account: AwsAccount, definitions: Definitions, previous: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Check that the values fit each other, and that the certificate exists and covers the hosts. Raises Refused."""
    defaults = {name: str(definition["Default"]) for name, definition in definitions.items()}
    values = {**defaults, **previous, **given}
    for name, needed in _NEEDS.items():
        if values.get(name) != defaults.get(name) and values.get(needed) == defaults.get(needed):
            raise Refused(f'{name} needs {needed} as well: `make deploy SET="{needed}=..."`')
    hosts = [values[name] for name in HOSTS if values.get(name)]
    if len(set(hosts)) < len(hosts):
        raise Refused("two of the host names are the same")
    if hosts and (given.keys() & {"Certificate", *HOSTS}):
        _check_certificate(account, values["Certificate"], hosts)


def _fits(definition: Mapping[str, Any], value: str) -> bool:
    if definition["Type"] == "Number":
        if not value.isdecimal():
            return False
        number, allowed = int(value), definition.get("AllowedValues")
        return number in allowed if allowed else definition["MinValue"] <= number <= definition["MaxValue"]
    return re.fullmatch(definition["AllowedPattern"], value) is not None


def _check_certificate(account: AwsAccount, arn: str, hosts: Sequence[str]) -> None:
    """Check the certificate: one that is not issued, or in another region, would end the first deploy in a rollback."""
    if arn.split(":")[3] != account.region:
        raise Refused(
            f"the certificate is in {arn.split(':')[3]}, and the stack in {account.region}; ask ACM for one there"
        )
    issuer = account.client("acm")
    try:
        certificate = issuer.describe_certificate(CertificateArn=arn)["Certificate"]
    except issuer.exceptions.ResourceNotFoundException:
        raise Refused(f"there is no certificate {arn}") from None
    if certificate["Status"] != "ISSUED":
        raise Refused(
            f"the certificate is {certificate['Status']}, not ISSUED: prove to ACM first that the name is yours"
        )
    names = {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])}
    for host in hosts:
        if not names & {host, f"*.{host.partition('.')[2]}"}:
            raise Refused(f"the certificate is for {', '.join(sorted(names))}, and not for {host}")
