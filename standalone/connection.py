"""A client's connection: uvicorn's HTTP/1.1 protocol with timeouts, which also accepts unencoded request lines."""

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
MIN_RATE = 1024  # bytes per second; a slower body times out
LINGER = 2.0  # seconds in which a rejected client can read the error

_HEAD_END = re.compile(rb"\n\r?\n")
# The server supports no upgrade, and the parser does not read the body of a request with this header.
_UPGRADE = re.compile(rb"^upgrade:[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_ILLEGAL = re.compile(rb'[ "#<>\\^`{|}\x80-\xff]')


class Stage(Enum):
    """What a connection waits for: a request's head, its body, the answer, or the client's close."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    CLOSE = auto()


def encode_request_line(line: bytes) -> bytes:
    """Percent-encode the characters that are not allowed in a request target.

    hpm, the OpenComputers package manager, sends `GET /packages?q="many" "Long" HTTP/1.1` unencoded.
    """
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if not _ILLEGAL.search(target):
        return line
    return b"%s %s %s" % (method, _ILLEGAL.sub(lambda byte: b"%%%02X" % ord(byte[0]), target), version)


class Connection(HttpToolsProtocol):
    """Passes one request at a time to the parser, with its complete head in one piece.

    Pipelined requests are buffered until the current one is answered, so that each request line is encoded before it
    is parsed. Bodies are streamed. `timeout` is in seconds: for a request's head, for a pause in its body, and for a
    client that does not read the answer.
    """

    def __init__(self, *args: Any, timeout: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # uvicorn's own log would contain paths
        self.timeout = timeout
        self.stage = Stage.HEAD
        self.head = bytearray()
        self.body_left: int | None = 0  # None: chunked, only the parser knows the end
        self.framing = 0  # bytes of a chunked body that are not content
        self.content = 0
        self.pipelined = b""
        self.half_closed = False
        self.request_clock = Clock(self.loop, self._request_timeout)
        self.answer_clock = Clock(self.loop, self._answer_timeout)
        self.unread = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.request_clock.start(self.timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self.request_clock.stop()
        self.answer_clock.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._consume(data)
        except HttpParserError:
            if self.stage is Stage.ANSWER:
                self.cycle.keep_alive = False  # the error follows a valid request, which still gets its answer
            else:
                self._reject(HTTPStatus.BAD_REQUEST)
        if self.stage is Stage.HEAD and not self.request_clock.running:
            self.request_clock.start(self.timeout)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection open for a client that has closed only its sending side."""
        self.half_closed = True
        return self.stage is Stage.ANSWER and self.transport.can_write_eof()

    def _consume(self, data: bytes) -> bytes:
        """Process the beginning of `data` for the current stage, and return the rest."""
        if self.stage is Stage.HEAD:
            return self._consume_head(data)
        if self.stage is Stage.BODY:
            return self._consume_body(data)
        if self.stage is Stage.ANSWER:
            self.pipelined += data
            self.flow.pause_reading()
        return b""

    def _consume_head(self, data: bytes) -> bytes:
        previous = len(self.head)
        self.head += data if previous else data.lstrip(b"\r\n")
        found = _HEAD_END.search(self.head, max(0, previous - 3))
        size = found.end() if found else len(self.head)
        if size > MAX_HEAD:
            self._reject(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return b""
        if not found:
            return b""
        line, newline, fields = bytes(self.head[:size]).partition(b"\n")
        rest = bytes(self.head[size:])
        self.head.clear()
        self.parser.feed_data(encode_request_line(line) + newline + _UPGRADE.sub(b"", fields))
        return rest

    def _consume_body(self, data: bytes) -> bytes:
        part = data if self.body_left is None else data[: self.body_left]
        if self.body_left is not None:
            self.body_left -= len(part)
        self.request_clock.postpone(len(part) / MIN_RATE, at_most=self.timeout)
        self.framing += len(part)
        self.parser.feed_data(part)
        if self.body_left is None and self.framing > MAX_HEAD + self.content:
            self._reject(HTTPStatus.BAD_REQUEST)
        return data[len(part) :]

    def on_message_begin(self) -> None:
        if self.stage is not Stage.HEAD:
            raise ValueError("a request pipelined after a chunked body did not pass _consume_head")
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Ignore the trailers of a chunked body: as headers they would bypass the checks of the head."""
        if self.stage is Stage.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        hosts = [value for name, value in self.headers if name == b"host"]
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise ValueError("a request must have exactly one Host header")
        if codings and (codings != [b"chunked"] or version != "1.1"):
            raise ValueError("an unsupported transfer coding")
        super().on_headers_complete()
        fields = dict(self.headers)
        self.body_left = None if codings else int(fields.get(b"content-length", 0))
        self.framing = self.content = 0
        self.stage = Stage.BODY
        if self.body_left != 0:
            self.request_clock.start(self.timeout)

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
        pipelined, self.pipelined = self.pipelined, b""
        if pipelined:
            self.data_received(pipelined)
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
        self.answer_clock.start(self.timeout)

    def _answer_timeout(self) -> None:
        if self.transport.get_write_buffer_size() < self.unread:
            self._watch_answer()
        else:
            self.transport.abort()

    def _request_timeout(self) -> None:
        if self.stage is Stage.CLOSE or (self.stage is Stage.HEAD and not self.head):
            self.transport.close()
        else:
            self._reject(HTTPStatus.REQUEST_TIMEOUT)

    def _reject(self, status: HTTPStatus) -> None:
        """Send an error and close the connection later: closing it with unread data would discard the error."""
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
