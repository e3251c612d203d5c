"""TSIG (RFC 8945): the keys of signed queries, and replies to signatures that are wrong."""

import time
from collections import OrderedDict
from collections.abc import Callable

import dns.exception
import dns.message
import dns.rcode
import dns.tsig
from dns.message import Message
from dns.name import Name
from dns.rcode import Rcode
from dns.tsig import Key

from chalicelib.luadns import tsig_keys
from chalicelib.luadns.tables import TsigKey

FUDGE = 300  # seconds that clocks may differ, as RFC 8945 recommends
_MAX_KEYS = 1_000
_ERRORS = {  # of dnspython, as codes in the reply's TSIG record
    dns.message.UnknownTSIGKey: Rcode.BADKEY,
    dns.tsig.BadKey: Rcode.BADKEY,
    dns.tsig.BadAlgorithm: Rcode.BADKEY,
    dns.tsig.BadSignature: Rcode.BADSIG,
    dns.tsig.BadTime: Rcode.BADTIME,
}
WRONG = tuple(_ERRORS)


class Keys:
    """Finds TSIG keys. `state` returns a number that changes with every change of the store."""

    def __init__(self, state: Callable[[], int]) -> None:
        self._state = state
        self._found: OrderedDict[Name, tuple[int, TsigKey | None, Key | None]] = OrderedDict()

    def stored(self, name: Name | None) -> TsigKey | None:
        """The stored key with this name."""
        return self._find(name)[0] if name is not None else None

    def for_message(self, message: Message, name: Name) -> Key | None:
        """The key with this name as dnspython needs it, to verify a message."""
        return self._find(name)[1]

    def _find(self, name: Name) -> tuple[TsigKey | None, Key | None]:
        name, state = name.canonicalize(), self._state()
        cached = self._found.get(name)
        if cached is None or cached[0] != state:
            stored = tsig_keys.find(name.to_text(omit_final_dot=True))
            key = Key(name, tsig_keys.secret_of(stored), f"{stored.algorithm}.") if stored else None
            cached = self._found[name] = (state, stored, key)
            while len(self._found) > _MAX_KEYS:
                self._found.popitem(last=False)
        return cached[1:]


def refusal(wire: bytes, error: dns.exception.DNSException, keys: Keys) -> bytes:
    """The reply NOTAUTH to a message whose signature is wrong; only that to a wrong time is signed (RFC 8945, 5.2)."""
    query = dns.message.from_wire(wire, keyring=False)
    response = dns.message.make_response(query)
    response.set_rcode(Rcode.NOTAUTH)
    code = _ERRORS[type(error)]
    assert query.keyname is not None, "only a signed message can have a wrong signature"
    if code == Rcode.BADTIME:
        now = int(time.time()).to_bytes(6)
        response.use_tsig(keys.for_message(query, query.keyname), query.keyname, FUDGE, None, code, now)
        response.request_mac = query.mac or b""
    else:
        response.tsig = Message._make_tsig(
            query.keyname, query.keyalgorithm, int(time.time()), FUDGE, b"", query.id, code, b""
        )
    return response.to_wire()
