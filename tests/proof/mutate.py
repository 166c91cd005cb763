"""Mutate the backends and see that a test fails.

``python -m tests.proof.mutate LANGUAGE [COUNT [SEED [MODULE]]]``: each mutant is one change of an operator, a
condition, a number or a text in a module of ``converter/backends/LANGUAGE`` (whose name matches MODULE, a
pattern such as ``[!c]*``), made in a copy of the project in a temporary folder. The expected queries of the
table come first (they take seconds), then the language's own tests. What neither notices is printed: a test
is missing, or the change means nothing. Of each survivor it says whether the query of any public rule
changes (docs/mutations.md).
"""

from __future__ import annotations

import ast
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import ROOT, SHARED

TIME_LIMIT_S = 900
"""A mutant that takes longer counts as noticed."""

_COMPARE = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def places(tree: ast.AST) -> list[ast.AST]:
    """Return the nodes that can be mutated; not docstrings, annotations or texts of errors."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.Raise | ast.Assert | ast.AnnAssign | ast.arg):
            skipped.update(map(id, ast.walk(node)))
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            skipped.update(map(id, ast.walk(node.returns)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Refusal", "Reason"):
            skipped.update(map(id, ast.walk(node)))
    found = []
    for node in ast.walk(tree):
        if id(node) not in skipped and _can_change(node):
            found.append(node)
    return found


def _can_change(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in _COMPARE
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | int) and node.value != ""
    return isinstance(node, ast.BoolOp | ast.IfExp)


def mutate(node: ast.AST) -> str:
    """Change a node in place and say how."""
    before = ast.unparse(node)
    if isinstance(node, ast.Compare):
        node.ops[0] = _COMPARE[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    elif isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()  # `+` of a truth value is the value.
        node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
    elif isinstance(node, ast.Constant):
        value = node.value
        node.value = (
            (not value) if isinstance(value, bool) else value + ("~" if isinstance(value, str) else 1)
        )  # type: ignore[operator]
    return f"{before}  ->  {ast.unparse(node)}"


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run Python on the copy; None if it took too long."""
    kept = {name: os.environ[name] for name in ("HOME", "SIGCONV_KUSTO_ANALYSER") if name in os.environ}
    variables = {**kept, "PYTHONPATH": str(copy), "PATH": "", "PYTHONHASHSEED": "0"}
    try:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=copy,
            capture_output=True,
            check=False,
            text=True,
            env=variables,
            timeout=TIME_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return None


def survives(copy: Path, language: str) -> bool:
    """Tell whether the table's queries are the expected ones and the tests of the language pass."""
    table = run(copy, "-m", "tests.proof.mutate", "--table", language)
    if table is None or table.returncode != 0:
        return False
    tests = run(
        copy,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        f"tests/backends/{language}",
    )
    return tests is not None and tests.returncode == 0


def table_differs(language: str) -> bool:
    """Tell whether a query of the table is not the expected one, or is refused with another code."""
    from tests.language_expected import expected, outcome, runnable
    from tests.language_table import cases

    wanted = expected()
    for case in cases(negated=False):
        if runnable(case, language):
            kind, text = outcome(case, language)
            if {kind: text if kind != "refused" else text.partition(" ")[0]} != wanted[case.id][language]:
                return True
    return False


def corpus_digest(language: str, folder: Path) -> str:
    """Return a digest of the queries and refusals of all public rules."""
    from converter import pipelines, rules
    from converter.convert import Options, convert
    from converter.errors import SigconvError

    digest = hashlib.sha256()
    found = rules.load([folder])
    for rule in found.emitted():
        try:
            made = convert(found, rule, pipelines.cell(pipelines.NONE, language), Options("any"))
            texts = [str(made.fidelity), *(query.text for query in made.queries)]
        except SigconvError as error:
            texts = [error.code, error.message]
        digest.update("\0".join([rule.relative, *texts]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def main(language: str, count: int = 25, seed: int = 1, modules: str = "*") -> int:
    """Run the mutants; return how many survive."""
    folder = Path("converter", "backends", language)
    mutants = []
    for path in sorted((ROOT / folder).glob(f"{modules}.py")):
        size = len(places(ast.parse(path.read_text())))
        mutants += [(path.name, number) for number in range(size)]
    chosen = random.Random(seed).sample(mutants, min(count, len(mutants)))
    survivors = 0
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for part in ("converter", "tests", "pipelines", "sigma", "output", "docs"):
            shutil.copytree(ROOT / part, copy / part)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, copy / name)
        public = ("-m", "tests.proof.mutate", "--corpus", language, str(SHARED / "sigmahq"))
        if not survives(copy, language):
            raise SystemExit("the tests fail without a mutant")
        before = run(copy, *public)
        for name, number in chosen:
            source = (copy / folder / name).read_text()
            tree = ast.parse(source)
            node = places(tree)[number]
            change = mutate(node)
            (copy / folder / name).write_text(ast.unparse(ast.fix_missing_locations(tree)))
            if survives(copy, language):
                survivors += 1
                after = run(copy, *public)
                same = before is not None and after is not None and before.stdout == after.stdout
                effect = "no public rule's query changes" if same else "queries of public rules change"
                place = f"{folder / name}:{getattr(node, 'lineno', 0)}"
                print(f"survives: {place}: {change}: {effect}", flush=True)
            (copy / folder / name).write_text(source)
    print(f"{language}: {len(chosen)} of {len(mutants)} mutants, {survivors} survive", flush=True)
    return survivors


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--table", name]:
            sys.exit(table_differs(name))
        case ["--corpus", name, where]:
            print(corpus_digest(name, Path(where)))
        case [name, *numbers]:
            given = [int(number) if number.isdigit() else number for number in numbers]
            sys.exit(main(name, *given) > 0)  # type: ignore[arg-type]
