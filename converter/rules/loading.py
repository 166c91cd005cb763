"""Load rules from files and folders, and resolve references between them."""

from __future__ import annotations

import os
import pickle
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from converter.errors import RuleError, Said
from converter.files import yaml_source
from converter.files.yaml_source import Documents
from converter.project import ids
from converter.rules import duplicates, failed, filters
from converter.rules.discovery import rule_files
from converter.rules.emitted import serves_failed
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.rules.validity import problems

ROOT_NAMES = ("sigma", "rules")
"""Folders whose name says that they hold all rules."""


def load(
    paths: Sequence[Path],
    root: Path | None = None,
    whole: bool = False,
    known: Documents | None = None,
    workers: int = 1,
    ahead: Ahead | None = None,
    filtered: bool = False,
) -> RuleSet:
    """Load every rule of the files and folders.

    Args:
        paths: files, or folders that are searched for ``*.yml`` and ``*.yaml``.
        root: the rules root that output paths are relative to and that references resolve over;
            default: the nearest folder named ``sigma`` or ``rules`` above, else the folder given.
        whole: compare ids and names with those of the whole rules root, where there is one of such a name.
        known: documents that need not be read again.
        workers: how many processes may read.
        ahead: what to work out of good rules on the way, where one stands alone in its file.
        filtered: filters elsewhere in the rules root apply, too: what a rule becomes is not to depend on how
            many are asked for.

    Raises:
        RuleError: only for a path that does not exist (SC107); what is wrong with a rule is in ``errors``.
    """
    seen: set[str] = set()
    folders: dict[Path, str] = {}

    def real_path(file: Path) -> str:
        if file.is_symlink():
            return os.path.realpath(file)
        if file.parent not in folders:
            folders[file.parent] = os.path.realpath(file.parent)
        return f"{folders[file.parent]}/{file.name}"

    def new(base: Path, files: Iterator[Path]) -> Iterator[tuple[Path, str]]:
        # Strings and not paths here and in `rule_files`: of thousands of files it is felt.
        above = f"{os.path.abspath(base)}{os.sep}"  # noqa: PTH100
        for file in files:
            if (real := real_path(file)) not in seen:
                seen.add(real)
                yield file, _relative(file, above)

    roots: dict[Path, None] = {}
    asked: list[tuple[Path, str]] = []
    for given in paths:
        if not given.exists():
            raise RuleError("SC107", "does not exist", file=given.as_posix())
        base = root or rules_root(given)
        roots[base] = None
        asked += new(base, rule_files(given))
    read = RuleSet()
    for file, found in zip(asked, _read(asked, known, workers, ahead), strict=True):
        read.ahead |= found.ahead
        read.documents += found.all
        read.rules += found.good
        if found.errors:
            read.errors += found.errors
            read.failed_files.append(file[1])
    if filtered:
        _add_filters(read, list(_beside(roots, root, paths, new)), known)
    read = replace(read)  # With an index of the rules.
    missing = any(read.resolve(name) is None for rule in read.rules for name in read.references(rule))
    for base in roots:
        if missing or (whole and (base == root or base.name in ROOT_NAMES)):
            others = list(new(base, rule_files(base)))
            for found in _read(others, known, workers):
                read.library += found.good
    return link(replace(read), whole=whole)


def link(read: RuleSet, *, whole: bool = False) -> RuleSet:
    """Return the rules that can be converted, with filters applied; what is wrong is added to the errors.

    Args:
        read: what is in the files.
        whole: a rule of the library with an id or name of a rule asked for is an error, too.
    """
    rules = duplicates.without_duplicates(read, read.library if whole else ())
    rules = _without_circles(rules)
    rules = replace(rules, served=failed.served(rules))
    rules.failed_files += [rule.relative for rule in rules.rules if serves_failed(rules, rule)]
    return _with_filters(duplicates.without_clashes(rules))


def rules_root(path: Path) -> Path:
    """Return the folder that output paths are relative to, for a rule file or folder."""
    start = path if path.is_dir() else path.parent
    for folder in (start.absolute(), *start.absolute().parents):
        if folder.name in ROOT_NAMES:
            return folder
    return start


def _relative(file: Path, above: str) -> str:
    name = os.path.abspath(file)  # noqa: PTH100
    return name.removeprefix(above).replace(os.sep, "/") if name.startswith(above) else file.name


@dataclass(slots=True)
class _Found:
    """What is in a file."""

    good: list[Rule] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)
    all: list[Rule] = field(default_factory=list)
    ahead: dict[int, Any] = field(default_factory=dict)


class Ahead(Protocol):
    """What is worked out of rules while they are read (`converter.build.convert_rules`)."""

    @property
    def convert(self) -> Callable[[Rule], Any]:
        """Called in the process that read the rule, so it and what it returns can be pickled."""

    @property
    def steps(self) -> int:
        """How many times the work of reading a file it is."""

    def expect(self, files: int) -> None:
        """Make ready for so many files."""

    def done(self, files: int) -> None:
        """Hear that so many files more were read."""


_BATCH = 200
"""Files that are looked for at once among those that are known."""
_PART = 16
_ENOUGH = 200
"""Files, or conversions of them, that there must be for each process."""
MANY = 100
"""Files to read from which on rules are worked on ahead. Of fewer, the cache may know what they became: a
comment that changed is no other rule."""


def _read(
    files: Sequence[tuple[Path, str]], known: Documents | None, workers: int, ahead: Ahead | None = None
) -> Iterator[_Found]:
    """Yield what is in each file: given are its path, and the same below the rules root."""
    from converter.workers import shared_out

    documents: dict[int, _Examined] = {}
    fresh: list[_File] = []
    for start in range(0, len(files), _BATCH):
        batch = range(start, min(start + _BATCH, len(files)))
        if known is None:
            fresh += [(number, None, *files[number]) for number in batch]
        else:
            _look_up(files, batch, known, documents, fresh)
    parts = [fresh[start : start + _PART] for start in range(0, len(fresh), _PART)]
    if len(fresh) < MANY:
        ahead = None
    if ahead is not None:
        ahead.expect(len(fresh))
    each = 1 if ahead is None else ahead.steps
    read: dict[int, _Examined] = {}
    processes = min(workers, each * len(fresh) // _ENOUGH)
    examine = _Examine(ahead.convert if ahead is not None else None, processes > 1)
    for _, some in shared_out(examine, parts, processes):
        read |= some
        if ahead is not None:
            ahead.done(len(some))
    for number, (file, relative) in enumerate(files):
        one = read.pop(number) if number in read else documents.pop(number)
        one.unpack()
        found = _rules(file, relative, one)
        if known is not None and one.digest and not found.errors:
            known.keep(one.digest, one.documents)
        if one.ahead is not None:
            found.ahead[id(one.documents[0])] = one.ahead
        yield found


_File = tuple[int, str | None, Path, str]
"""A file's number, its text if it cannot be read twice (a pipe), its path, and the path below the root."""


@dataclass(slots=True)
class _Examined:
    """What is in a file."""

    documents: list[Any] = field(default_factory=list)
    wrong: list[tuple[int, Said]] = field(default_factory=list)
    """With which of them, or -1, and the error."""
    digest: str = ""
    """Of the text that was read, where it was not known."""
    ahead: Any = None
    packed: bytes = b""
    """The documents, while other processes work and memory is shared with them."""

    def pack(self) -> None:
        """Let the documents wait in a tenth of their size."""
        self.packed, self.documents = zlib.compress(pickle.dumps(self.documents), 1), []

    def unpack(self) -> None:
        """Have the documents again."""
        if self.packed:
            self.documents, self.packed = pickle.loads(zlib.decompress(self.packed)), b""


def _look_up(
    files: Sequence[tuple[Path, str]],
    batch: Iterable[int],
    known: Documents,
    documents: dict[int, _Examined],
    fresh: list[_File],
) -> None:
    """Take the documents of some files from those that are known; the others are to be read."""
    names = {number: files[number][0].as_posix() for number in batch}
    digests = {number: digest for number in batch if (digest := known.digest(names[number])) is not None}
    known.expect(digests.values())
    left: list[int] = []
    for number in batch:
        good = known.get(digests[number]) if number in digests else None
        if good is not None:
            documents[number] = _Examined(good)
        else:
            left.append(number)
    read: list[tuple[_File, str]] = []
    for number in left:
        file, relative = files[number]
        try:
            text = yaml_source.read_text(file, names[number])
        except RuleError as error:
            documents[number] = _Examined([], [(-1, error.said())])
            continue
        # Texts are not kept: of thousands of files they are megabytes.
        read.append(((number, None if file.is_file() else text, file, relative), yaml_source.digest(text)))
    known.expect(digest for _, digest in read)
    for one, digest in read:
        if (good := known.get(digest)) is not None:
            documents[one[0]] = _Examined(good)
        else:
            fresh.append(one)


class _Examine:
    """Reads files and says what is wrong with them; can be sent to another process."""

    def __init__(self, ahead: Callable[[Rule], Any] | None, pack: bool) -> None:
        self._ahead, self._pack = ahead, pack

    def __call__(self, part: Sequence[_File]) -> dict[int, _Examined]:
        """Return what is in the files, by their numbers."""
        return {number: self._one(text, file, relative) for number, text, file, relative in part}

    def _one(self, text: str | None, file: Path, relative: str) -> _Examined:
        name = file.as_posix()
        found = _Examined()
        try:
            text = yaml_source.read_text(file, name) if text is None else text
            found.digest = yaml_source.digest(text)
            found.documents = yaml_source.parse(text, name)
            for document in found.documents:
                if isinstance(document, dict):
                    ids.normalise(document)
        except RuleError as error:
            found.wrong = [(-1, error.said())]
            return found
        rules = [
            Rule(document, name, file, relative, position)
            for position, document in enumerate(found.documents)
            if isinstance(document, dict)
        ]
        found.wrong = [(rule.document, error.said()) for rule in rules for error in problems(rule)]
        if self._ahead is not None and len(found.documents) == 1 and rules and not found.wrong:
            found.ahead = self._ahead(rules[0])
        if self._pack:
            found.pack()
        return found


def _rules(file: Path, relative: str, examined: _Examined) -> _Found:
    """Return the good rules of a file, what is wrong with the others, and all of them."""
    name = file.as_posix()
    errors: dict[int, list[RuleError]] = {}
    for position, said in examined.wrong:
        errors.setdefault(position, []).append(RuleError.of(said))
    found = _Found(errors=errors.get(-1, []))
    if found.errors:
        return found
    for number, document in enumerate(examined.documents):
        if isinstance(document, dict):
            rule = Rule(document, name, file, relative, number)
            found.all.append(rule)
            if number in errors:
                found.errors += errors[number]
            else:
                found.good.append(rule)
        elif document is not None:
            found.errors.append(
                RuleError("SC106", "a rule is a mapping of keys to values", file=name, line=1)
            )
    if not found.good and not found.errors:
        found.errors.append(RuleError("SC106", "holds no rule", file=name))
    return found


def _beside(
    roots: Iterable[Path],
    root: Path | None,
    paths: Sequence[Path],
    new: Callable[[Path, Iterator[Path]], Iterator[tuple[Path, str]]],
) -> Iterator[tuple[Path, str]]:
    """Yield the files of rules roots that were not asked for and have a filter."""
    for base in roots:
        whole = any(path.resolve() == base.resolve() for path in paths)
        if not whole and (base == root or base.name in ROOT_NAMES):
            yield from new(base, filters.files(base))


def _add_filters(result: RuleSet, files: Sequence[tuple[Path, str]], known: Documents | None) -> None:
    for found in _read(files, known, 1):
        result.rules += [rule for rule in found.good if rule.kind == "filter"]
        result.documents += [rule for rule in found.all if rule.kind == "filter"]
        result.errors += found.errors


def _without_circles(rules: RuleSet) -> RuleSet:
    """Return the rules without correlations in a circle.

    Each of them only serves another: none would be converted, nor missed.
    """
    circular: set[int] = set()
    errors, files = list(rules.errors), list(rules.failed_files)
    for rule in rules.rules:
        try:
            rules.closure(rule)
        except RuleError as error:
            if error.code == "SC112":
                circular.add(id(rule))
                errors.append(error)
                files.append(rule.relative)
    if not circular:
        return rules
    kept = [rule for rule in rules.rules if id(rule) not in circular]
    return replace(rules, rules=kept, errors=errors, failed_files=files)


def _with_filters(rules: RuleSet) -> RuleSet:
    """Return the rules as filters change them: those asked for, and those of the library."""
    given: list[Rule] = []
    wrong: list[Rule] = []
    errors, files = list(rules.errors), list(rules.failed_files)
    for rule in [*rules.library, *rules.rules]:
        if rule.kind == "filter":
            try:
                filters.check(rule)
            except RuleError as error:
                errors.append(error)
                wrong.append(rule)
            else:
                given.append(rule)
    without: set[int] = set()
    for file, held in failed.unfiltered(replace(rules, errors=errors), wrong).items():
        files += [rule.relative for rule in held]
        without |= {id(rule) for rule in held}
        shown = ", ".join(rule.file for rule in held[:3]) + (", ..." if len(held) > 3 else "")
        text = f"rules that it concerns are left out: {shown} ({len(held)} in all)"
        errors.append(RuleError("SC111", text, file=file, hint="mend the filter"))
    kept, library = [rule for rule in rules.rules if id(rule) not in without], rules.library
    if given:
        kept, library = filters.apply(kept, given), filters.apply(library, given)
    return replace(rules, rules=kept, library=library, errors=errors, failed_files=files)
