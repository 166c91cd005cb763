"""Files of events, whatever their form, and one clear error for what is none."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from converter.errors import EventsError
from converter.events import flatten, read_events
from tests.support import shared

EVENTS = [{"a": 1}, {"b": "é\n"}, {"c": [1, {"d": "]},{"}]}]
LINES = "".join(json.dumps(event) + "\n" for event in EVENTS).encode()


def write(folder: Path, content: bytes, name: str = "x.json") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.replace(b"\n", b"\r\n"),
        LINES.replace(b"\n", b"\n\n"),
        LINES.rstrip(),
        b"\xef\xbb\xbf" + LINES,
        json.dumps(EVENTS).encode(),
        json.dumps(EVENTS, indent=2, ensure_ascii=False).encode(),
        b"\xef\xbb\xbf \n" + json.dumps(EVENTS).encode(),
        gzip.compress(LINES, mtime=0),
        gzip.compress(json.dumps(EVENTS).encode()),
    ],
    ids=[
        "lines",
        "crlf",
        "empty lines",
        "no last newline",
        "mark",
        "array",
        "pretty",
        "marked array",
        "gz",
        "gz array",
    ],
)
def test_forms(tmp_path: Path, content: bytes) -> None:
    assert list(read_events(write(tmp_path, content))) == EVENTS


@pytest.mark.parametrize("content", [b"", b"\n \n", b"[]", b" [ ] "], ids=repr)
def test_no_events(tmp_path: Path, content: bytes) -> None:
    assert list(read_events(write(tmp_path, content))) == []


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(LINES, mtime=0))))
    assert list(read_events("-")) == EVENTS


def test_arrays_longer_than_a_chunk(tmp_path: Path) -> None:
    many = [{"n": number, "text": "x" * (number % 977)} for number in range(2000)]
    assert list(read_events(write(tmp_path, json.dumps(many).encode()))) == many
    big = [{"text": "y" * 300_000}]
    assert list(read_events(write(tmp_path, json.dumps(big).encode()))) == big


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b'{"a": 1}\n{"b": \n', "SC502", 2),
        (b'{"a": 1}\n[1]\n', "SC502", 2),
        (b'{"a": 1}\n"text"\n', "SC502", 2),
        (b'{"a": 1}\n{"b": "\xff"}\n', "SC502", 2),
        (b'{"a": 1}\n' + b'{"b":' * 100_000, "SC502", 2),
        (b'[{"a": 1},\n{"b": }]', "SC502", 2),
        (b'[{"a": 1}\n{"b": 1}]', "SC502", 2),
        (b'[{"a": 1},\n\n 7]', "SC502", 3),
        (b'[{"a": 1},\n{"b": 1}', "SC502", 2),
        (b'[{"a": 1},]', "SC502", 1),
        (b'[{"a": 1},\n{"b": "\xff"}]', "SC502", 2),
        (b"\xff\xfe{\x00", "SC501", 1),
        (gzip.compress(LINES, mtime=0)[:-12], "SC501", None),
        (b"ElfFile\x00" + b"\x00" * 40, "SC502", None),
        (b"\x89PNG\r\n\x1a\n", "SC502", 1),
    ],
)
def test_what_is_no_event(tmp_path: Path, content: bytes, code: str, line: int | None) -> None:
    path = write(tmp_path, content)
    with pytest.raises(EventsError) as caught:
        list(read_events(path))
    assert (caught.value.code, caught.value.line, caught.value.file) == (code, line, str(path))
    assert "\n" not in str(caught.value)


def test_events_before_the_error_are_given(tmp_path: Path) -> None:
    found = read_events(write(tmp_path, b'{"a": 1}\n{"b"'))
    assert next(found) == {"a": 1}
    with pytest.raises(EventsError):
        next(found)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EventsError, match=r"SC501.*No such file") as caught:
        list(read_events(tmp_path / "none"))
    assert str(caught.value).startswith(str(tmp_path / "none"))


def test_progress_counts_stored_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(LINES * 5000, mtime=0))
    seen: list[int] = []
    assert len(list(read_events(path, progress=seen.append))) == 15000
    assert seen == sorted(seen)
    assert seen[-1] == path.stat().st_size


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count", "kind"),
    [("sigma_regression", 116, int), ("omerbenamram_sysmon", 358, int), ("open_xp_rules_raw", 419, str)],
)
def test_public_logs(name: str, count: int, kind: type) -> None:
    flat = [flatten(event) for event in read_events(shared(f"corpus/{name}.jsonl.gz"))]
    assert len(flat) == count
    for event in flat:
        assert isinstance(event["EventID"], kind)
        assert event["Channel"]
        assert event["Computer"]
        assert event["Provider_Name"]
