"""Read event files: JSON lines, JSON arrays, either gzipped, and EVTX; one event at a time."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from converter import install_hint
from converter.errors import EventsError

Progress = Callable[[int], object]
"""Called with the number of bytes of the file (as stored) that have been read."""

OnError = Callable[[EventsError], object]

if TYPE_CHECKING:
    Stream = io.BufferedReader[Any]

_EVTX_MAGIC = b"ElfFile\0"
_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CHUNK = 1 << 16


def read_events(
    path: str | Path, *, progress: Progress | None = None, on_error: OnError | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the events of a file as they are written, one after the other.

    Args:
        path: JSON lines, a JSON array, either of them gzipped, or EVTX; ``-`` is standard input.
            The content decides, not the name.
        progress: called now and then with the bytes read so far.
        on_error: called with what is wrong with a line of JSON lines, which is then left out; without it
            the first such line is raised.

    Raises:
        EventsError: SC501 if the file cannot be read, SC502 for what is no event (with its line), SC503
            if EVTX is asked for and the package `evtx` is not installed.
    """
    name = str(path)
    try:
        if name == "-":
            yield from _content(sys.stdin.buffer, name, progress, on_error)
            return
        with Path(path).open("rb") as file:
            yield from _content(file, name, progress, on_error)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise EventsError("SC501", f"cannot be read: {reason}", file=name) from None


def _content(
    raw: IO[bytes], name: str, progress: Progress | None, on_error: OnError | None
) -> Iterator[dict[str, Any]]:
    with ExitStack() as opened:
        stream = opened.enter_context(_buffered(_Counted(raw, progress) if progress else raw))
        if stream.peek(2)[:2] == _GZIP_MAGIC:
            stream = opened.enter_context(_buffered(gzip.GzipFile(fileobj=stream)))
        yield from _uncompressed(stream, name, on_error)


def _uncompressed(stream: Stream, name: str, on_error: OnError | None) -> Iterator[dict[str, Any]]:
    start = stream.peek(len(_EVTX_MAGIC))
    if start.startswith(_EVTX_MAGIC):
        yield from _evtx(stream, name)
        return
    if start.startswith(_UTF16_MARKS):
        raise EventsError("SC501", "is UTF-16", file=name, line=1, hint="save it as UTF-8")
    if start.startswith(b"\xef\xbb\xbf"):
        stream.read(3)
        start = stream.peek(1)
    if start.lstrip()[:1] == b"[":
        yield from _array(stream, name)
    else:
        yield from _lines(stream, name, on_error)


def _buffered(raw: IO[bytes] | io.RawIOBase | gzip.GzipFile) -> Stream:
    return io.BufferedReader(cast("io.RawIOBase", raw), _CHUNK)


class _Counted(io.RawIOBase):
    """A stream that reports how much has been read."""

    def __init__(self, raw: IO[bytes], progress: Progress) -> None:
        self.raw = raw
        self.progress = progress
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.raw.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        self.progress(self.count)
        return len(data)


def _lines(stream: Stream, name: str, on_error: OnError | None) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(stream, 1):
        if line.isspace():
            continue
        try:
            event = _event(_json(line, name, number), name, number)
        except EventsError as error:
            if on_error is None:
                raise
            on_error(error)
        else:
            yield event


def _json(line: bytes, name: str, number: int) -> Any:
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        raise EventsError("SC502", "is not UTF-8", file=name, line=number) from None
    except (ValueError, RecursionError) as error:
        raise _bad_json(error, name, number) from None


def _array(stream: Stream, name: str) -> Iterator[dict[str, Any]]:
    """Decode the items of an array one by one, holding one item and one chunk."""
    text = _Text(stream, name)
    text.read(_CHUNK)
    text.skip(text.space() + 1)
    decoder = json.JSONDecoder()
    needs_item = False
    while True:
        text.skip(text.space())
        if text.buffer.startswith("]") and not needs_item:
            return
        try:
            item, end = decoder.raw_decode(text.buffer)
        except (ValueError, RecursionError) as error:
            if text.read(max(_CHUNK, len(text.buffer))):
                continue
            raise _bad_json(error, name, text.line) from None
        yield _event(item, name, text.line)
        text.skip(end)
        text.skip(text.space())
        needs_item = text.buffer.startswith(",")
        if needs_item:
            text.skip(1)
        elif not text.buffer.startswith("]"):
            raise EventsError("SC502", "expected ',' or ']' after an event", file=name, line=text.line)


class _Text:
    """The part of a text that has been read and not yet used, and the line on which it begins."""

    def __init__(self, stream: Stream, name: str) -> None:
        self.stream = stream
        self.name = name
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.buffer = ""
        self.line = 1

    def read(self, size: int) -> bool:
        """Read on; return False at the end."""
        data = self.stream.read(size)
        try:
            self.buffer += self.decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = self.line + self.buffer.count("\n") + error.object[: error.start].count(b"\n")
            raise EventsError("SC502", "is not UTF-8", file=self.name, line=line) from None
        return bool(data)

    def space(self) -> int:
        """Return how many characters of white space come next, reading on as far as needed."""
        while not (stripped := self.buffer.lstrip()) and self.read(_CHUNK):
            pass
        return len(self.buffer) - len(stripped)

    def skip(self, count: int) -> None:
        self.line += self.buffer.count("\n", 0, count)
        self.buffer = self.buffer[count:]


def _event(value: Any, name: str, line: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EventsError("SC502", "an event must be a JSON object", file=name, line=line)
    return value


def _bad_json(error: Exception, name: str, line: int) -> EventsError:
    if isinstance(error, json.JSONDecodeError):
        return EventsError("SC502", f"is not JSON: {error.msg}", file=name, line=line, column=error.colno)
    return EventsError("SC502", f"is not JSON: {error}", file=name, line=line)


def _evtx(stream: Stream, name: str) -> Iterator[dict[str, Any]]:
    try:
        from evtx import PyEvtxParser
    except ImportError:
        hint = install_hint.with_engines()
        raise EventsError("SC503", "EVTX needs the package 'evtx'", file=name, hint=hint) from None
    try:
        # The parser seeks, which standard input and gzip cannot.
        for record in PyEvtxParser(io.BytesIO(stream.read())).records_json():
            yield json.loads(cast("dict[str, str]", record)["data"])
    except (RuntimeError, ValueError, OSError) as error:
        raise EventsError("SC502", f"is no whole EVTX file: {error}", file=name) from None
