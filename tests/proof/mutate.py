"""Mutate the backends and see that a test fails: ``python -m tests.proof.mutate LANGUAGE [COUNT] [SEED]``.

Each mutant is one change of an operator, a condition, a number or a text in a module of
``converter/backends/LANGUAGE``, made in a copy of the project. The expected queries of the table run
first (they take seconds), then the language's own tests. What neither notices is printed: a test is missing,
or the change means nothing.
"""

from __future__ import annotations

import ast
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import ROOT

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


def survives(copy: Path, language: str) -> bool:
    """Tell whether the tests of the copy pass."""
    for arguments in (["tests/test_language.py", "-k", "expected_query"], [f"tests/backends/{language}"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments],
            cwd=copy,
            capture_output=True,
            check=False,
            env={"PYTHONPATH": str(copy), "PATH": "", "HOME": str(Path.home())},
        )
        if done.returncode != 0:
            return False
    return True


def main(language: str, count: int = 25, seed: int = 1) -> int:
    """Run the mutants; return how many survive."""
    folder = Path("converter", "backends", language)
    mutants = []
    for path in sorted((ROOT / folder).glob("*.py")):
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
        for name, number in chosen:
            source = (ROOT / folder / name).read_text()
            tree = ast.parse(source)
            node = places(tree)[number]
            change = mutate(node)
            (copy / folder / name).write_text(ast.unparse(ast.fix_missing_locations(tree)))
            if survives(copy, language):
                survivors += 1
                print(f"survives: {folder / name}:{getattr(node, 'lineno', 0)}: {change}", flush=True)
            (copy / folder / name).write_text(source)
    print(f"{language}: {len(chosen)} of {len(mutants)} mutants, {survivors} survive")
    return survivors


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])) > 0)
