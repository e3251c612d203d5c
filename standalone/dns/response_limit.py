"""Response rate limiting: a flood with forged sender addresses gets fewer bytes than it sends.

Equal answers to one network by UDP are limited per second. Of the further ones, every second is a truncated answer
without records ("slip"), so that a real client repeats its query by TCP; the others are dropped.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address

from dns.opcode import Opcode

_SLIP = 2
_MAX_BUCKETS = 20_000
_TRUNCATED = 0x02  # TC in the third byte of a message
_HEADER = 12  # bytes

Kind = tuple[str | int, bytes | int]  # a network, and the question or the code of an error


@dataclass
class _Bucket:
    tokens: float
    at: float
    limited: int = 0


class ResponseLimit:
    """Limits the answers by UDP; `rate` is per second, network and answer, 0 means no limit."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[Kind, _Bucket] = OrderedDict()

    def admit(self, reply: bytes, host: str) -> bytes | None:
        """The datagram to send to a host instead of `reply`: the same, a truncated one, or none."""
        if not self._rate or (reply[2] >> 3) & 0xF == Opcode.UPDATE:  # whose answer is never longer
            return reply
        bucket = self._bucket((_network(host), _subject(reply)))
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            bucket.limited = 0
            return reply
        bucket.limited += 1
        return _truncated(reply) if bucket.limited % _SLIP == 0 else None

    def _bucket(self, kind: Kind) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.pop(kind, None) or _Bucket(self._rate, now)
        bucket.tokens = min(self._rate, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets[kind] = bucket
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket


def _network(host: str) -> str | int:
    """The network of a client: 24 bits of an IPv4 address, 56 of an IPv6 address."""
    if ":" not in host:
        return host.rpartition(".")[0]
    address = IPv6Address(host.partition("%")[0])
    return str(address.ipv4_mapped).rpartition(".")[0] if address.ipv4_mapped else int(address) >> 72


def _subject(reply: bytes) -> bytes | int:
    """What answers have in common: the question; for errors the code, because floods ask for random names."""
    code = reply[3] & 0xF
    return code or reply[_HEADER : _question_end(reply)].lower()


def _question_end(reply: bytes) -> int:
    """The offset after the question; that after the header if there is none."""
    if reply[4:6] != b"\0\1":
        return _HEADER
    end = _HEADER
    while reply[end]:
        end += 1 + reply[end]
    return end + 5


def _truncated(reply: bytes) -> bytes:
    end = _question_end(reply)
    flags = bytes((reply[2] | _TRUNCATED, reply[3]))
    return reply[:2] + flags + reply[4:6] + bytes(6) + reply[_HEADER:end]
