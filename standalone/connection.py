"""One client's connection: uvicorn's HTTP/1.1 protocol, tolerant of raw request lines, not of stalling."""

import re
from asyncio import Transport
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from standalone.clock import Clock
from standalone.replies import error, log_access

MAX_HEAD = 64 * 1024
LEAST_RATE = 1024  # bytes a second below which a body counts as stuck
LINGER = 2.0  # seconds in which a refused client may read why

_HEAD_END = re.compile(rb"\n\r?\n")
# There is nothing to upgrade to, and the parser would not read the body of a request that offers it.
_UPGRADE = re.compile(rb"^upgrade:[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_ILLEGAL = re.compile(rb'[ "#<>\\^`{|}\x80-\xff]')


class Stage(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    CLOSE = auto()


def encode_request_line(line: bytes) -> bytes:
    """Percent-encode what may not stand raw in a request target.

    hpm, the OpenComputers package manager, sends `GET /packages?q="many" "Long" HTTP/1.1` as it is.
    """
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if not _ILLEGAL.search(target):
        return line
    return b"%s %s %s" % (method, _ILLEGAL.sub(lambda byte: b"%%%02X" % ord(byte[0]), target), version)


class Connection(HttpToolsProtocol):
    """Hands the parser one request at a time, with the head complete and in one piece.

    What follows a request is held back until that request is answered, so that every request line can be
    encoded before it is parsed. Bodies pass through as they come. `patience` is the time in seconds that a
    head may take, that a body may pause, and that the client may leave an answer unread.
    """

    def __init__(self, *args: Any, patience: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # uvicorn's own, which would show paths
        self.patience = patience
        self.stage = Stage.HEAD
        self.head = bytearray()
        self.body_left: int | None = 0  # None: chunked, only the parser can tell the end
        self.framing = 0  # bytes of a chunked body that are none of its content
        self.content = 0
        self.held = b""
        self.half_closed = False
        self.request_clock = Clock(self.loop, self._request_late)
        self.answer_clock = Clock(self.loop, self._answer_unread)
        self.unread = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.request_clock.start(self.patience)

    def connection_lost(self, exc: Exception | None) -> None:
        self.request_clock.stop()
        self.answer_clock.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._take(data)
        except HttpParserError:
            if self.stage is Stage.ANSWER:
                self.cycle.keep_alive = False  # the fault is behind a good request, which gets its answer
            else:
                self._refuse(HTTPStatus.BAD_REQUEST)
        if self.stage is Stage.HEAD and not self.request_clock.running:
            self.request_clock.start(self.patience)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that closed only its sending side still gets its answer."""
        self.half_closed = True
        return self.stage is Stage.ANSWER and self.transport.can_write_eof()

    def _take(self, data: bytes) -> bytes:
        """Use the beginning of `data` as the stage demands, return the rest."""
        if self.stage is Stage.HEAD:
            return self._take_head(data)
        if self.stage is Stage.BODY:
            return self._take_body(data)
        if self.stage is Stage.ANSWER:
            self.held += data
            self.flow.pause_reading()
        return b""

    def _take_head(self, data: bytes) -> bytes:
        known = len(self.head)
        self.head += data if known else data.lstrip(b"\r\n")
        found = _HEAD_END.search(self.head, max(0, known - 3))
        size = found.end() if found else len(self.head)
        if size > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return b""
        if not found:
            return b""
        line, newline, fields = bytes(self.head[:size]).partition(b"\n")
        rest = bytes(self.head[size:])
        self.head.clear()
        self.parser.feed_data(encode_request_line(line) + newline + _UPGRADE.sub(b"", fields))
        return rest

    def _take_body(self, data: bytes) -> bytes:
        part = data if self.body_left is None else data[: self.body_left]
        if self.body_left is not None:
            self.body_left -= len(part)
        self.request_clock.put_off(len(part) / LEAST_RATE, at_most=self.patience)
        self.framing += len(part)
        self.parser.feed_data(part)
        if self.body_left is None and self.framing > MAX_HEAD + self.content:
            self._refuse(HTTPStatus.BAD_REQUEST)
        return data[len(part) :]

    def on_message_begin(self) -> None:
        if self.stage is not Stage.HEAD:
            raise ValueError("a request pipelined behind a chunked body never passed _take_head")
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """What follows a chunked body are trailers; as headers they would come behind every check of those."""
        if self.stage is Stage.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        hosts = [value for name, value in self.headers if name == b"host"]
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise ValueError("a request names one host")
        if codings and (codings != [b"chunked"] or version != "1.1"):
            raise ValueError("a transfer coding that is not known here")
        super().on_headers_complete()
        fields = dict(self.headers)
        self.body_left = None if codings else int(fields.get(b"content-length", 0))
        self.framing = self.content = 0
        self.stage = Stage.BODY
        if self.body_left != 0:
            self.request_clock.start(self.patience)

    def on_body(self, body: bytes) -> None:
        self.framing -= len(body)
        self.content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.stage = Stage.ANSWER
        self.request_clock.stop()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            return
        self.stage = Stage.HEAD
        held, self.held = self.held, b""
        if held:
            self.data_received(held)
        elif self.half_closed:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_answer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.answer_clock.stop()

    def _watch_answer(self) -> None:
        self.unread = self.transport.get_write_buffer_size()
        self.answer_clock.start(self.patience)

    def _answer_unread(self) -> None:
        if self.transport.get_write_buffer_size() < self.unread:
            self._watch_answer()
        else:
            self.transport.abort()

    def _request_late(self) -> None:
        if self.stage is Stage.CLOSE or (self.stage is Stage.HEAD and not self.head):
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Say what is wrong and close, in this order: closing over unread data would destroy the answer."""
        self.stage = Stage.CLOSE
        if self.cycle and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        reply = error("-", status)
        log_access(self.client[0] if self.client else None, "-", reply, len(reply.body), 0)
        headers = [*self.server_state.default_headers, *reply.headers, (b"connection", b"close")]
        fields = b"".join(b"%s: %s\r\n" % field for field in headers)
        self.transport.write(STATUS_LINE[status] + fields + b"\r\n" + reply.body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.request_clock.start(LINGER)
        else:
            self.transport.close()
