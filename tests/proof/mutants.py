"""Every mutant of a module: one small change of its syntax tree each."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_SIMPLE = (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Return, ast.Continue, ast.Break)
_ALWAYS = 10**9


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the node with that number in the order of ``ast.walk``, and the kind of change."""

    node: int
    kind: str
    line: int
    """Of the node."""
    lines: tuple[int, int]
    """Of what must be executed for the change to show: of a statement, or of the head of a block. (0, 0) if
    it is executed when the module is imported."""
    function: str


def mutants(source: str) -> list[Mutant]:
    """Return all changes of a module's text."""
    tree = ast.parse(source)
    numbers = {id(node): number for number, node in enumerate(ast.walk(tree))}
    return [
        Mutant(numbers[id(node)], kind, _line(node), lines, function)
        for node, kind, lines, function in _places(tree)
    ]


def apply(source: str, node: int, kind: str) -> ast.Module:
    """Return the changed module."""
    tree = ast.parse(source)
    found = next(one for number, one in enumerate(ast.walk(tree)) if number == node)
    _CHANGES[kind](found)
    _replace(tree, found, kind)
    return ast.fix_missing_locations(tree)


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def shown(source: str, mutant: Mutant) -> str:
    """Return the change as code."""
    tree = ast.parse(source)
    found = next(one for number, one in enumerate(ast.walk(tree)) if number == mutant.node)
    before = ast.unparse(found)
    if mutant.kind == "statement":
        return f"{before}  ->  pass"
    if mutant.kind == "negate":
        return f"{before}  ->  not {before}"
    _CHANGES[mutant.kind](found)
    return f"{before}  ->  {ast.unparse(found)}"


# What is changed, and where.


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, tuple[int, int], str]]:
    yield from _block(tree.body, "", imported=True)


def _block(body: list[ast.stmt], function: str, *, imported: bool, returns_bool: bool = False) -> Iterator:
    for statement in body:
        yield from _statement(statement, function, imported, returns_bool)


def _statement(one: ast.stmt, function: str, imported: bool, returns_bool: bool) -> Iterator:
    if isinstance(one, ast.FunctionDef):
        # Defaults and decorators are executed with what is around them.
        name = f"{function}.{one.name}".lstrip(".")
        lines = (0, 0) if imported else (one.lineno, one.lineno)
        for default in [*one.args.defaults, *one.args.kw_defaults]:
            if default is not None:
                yield from _expression(default, lines, name)
        boolean = isinstance(one.returns, ast.Name) and one.returns.id == "bool"
        yield from _block(one.body, name, imported=False, returns_bool=boolean)
        return
    if isinstance(one, ast.ClassDef):
        yield from _block(one.body, f"{function}.{one.name}".lstrip("."), imported=imported)
        return
    if isinstance(one, ast.Import | ast.ImportFrom | ast.Assert | ast.Pass | ast.Global | ast.Nonlocal):
        return
    if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):  # A docstring.
        return
    blocks = [value for name in ("body", "orelse", "finalbody") if (value := getattr(one, name, None))]
    heads = [child for child in ast.iter_child_nodes(one) if isinstance(child, ast.expr)]
    if blocks:
        last = max((head.end_lineno or 0 for head in heads), default=one.lineno)
        lines = (0, 0) if imported else (one.lineno, max(last, one.lineno))
    else:
        lines = (0, 0) if imported else (one.lineno, one.end_lineno or one.lineno)
    if isinstance(one, ast.If) and isinstance(one.test, ast.Name) and one.test.id == "TYPE_CHECKING":
        return
    if isinstance(one, _SIMPLE) and not imported and not _silent(one):
        yield one, "statement", lines, function
    if isinstance(one, ast.If | ast.While) and not isinstance(one.test, ast.Compare | ast.BoolOp | ast.Not):
        yield from _negated(one.test, lines, function)
    if isinstance(one, ast.Return) and returns_bool and one.value is not None:
        yield from _negated(one.value, lines, function)
    if isinstance(one, ast.AnnAssign):
        heads = [one.value] if one.value is not None else []
    if isinstance(one, ast.AugAssign) and type(one.op) in _ARITHMETIC:
        yield one, "arithmetic", lines, function
    if isinstance(one, ast.Raise):
        yield from _raised(one, lines, function)
        return
    for head in heads:
        yield from _expression(head, lines, function)
    for block in blocks:
        yield from _block(block, function, imported=imported, returns_bool=returns_bool)
    if isinstance(one, ast.Try):
        for handler in one.handlers:
            yield from _block(handler.body, function, imported=imported, returns_bool=returns_bool)
    if isinstance(one, ast.With):
        for item in one.items:
            yield from _expression(item.context_expr, lines, function)
    if isinstance(one, ast.Match):
        for case in one.cases:
            for node in ast.walk(case.pattern):
                if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant):
                    yield from _expression(node.value, (one.lineno, case.body[0].lineno - 1), function)
            if case.guard is not None:
                if not isinstance(case.guard, ast.Compare | ast.BoolOp | ast.UnaryOp):
                    yield from _negated(case.guard, lines, function)
                yield from _expression(case.guard, (one.lineno, case.body[0].lineno - 1), function)
            yield from _block(case.body, function, imported=imported, returns_bool=returns_bool)


def _silent(one: ast.stmt) -> bool:
    """Tell whether a statement without a value, or `super().__init__()`."""
    return isinstance(one, ast.Return) and one.value is None


def _negated(test: ast.expr, lines: tuple[int, int], function: str) -> Iterator:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return
    if isinstance(test, ast.Compare | ast.Constant):  # Changed by themselves.
        return
    yield test, "negate", lines, function


def _raised(one: ast.Raise, lines: tuple[int, int], function: str) -> Iterator:
    """Of an error only the code counts; its message is for people."""
    if isinstance(one.exc, ast.Call) and one.exc.args:
        code = one.exc.args[0]
        if isinstance(code, ast.Constant) and str(code.value).startswith("SC"):
            yield code, "constant", lines, function


def _expression(top: ast.expr, lines: tuple[int, int], function: str) -> Iterator:
    if isinstance(top, ast.Call) and getattr(top.func, "id", "") in ("Refusal", "cast", "TypeVar"):
        if getattr(top.func, "id", "") == "Refusal" and top.args and isinstance(top.args[0], ast.Constant):
            yield top.args[0], "constant", lines, function
        if getattr(top.func, "id", "") == "cast":
            yield from _expression(top.args[1], lines, function)
        return
    kind = _kind(top)
    if kind:
        yield top, kind, lines, function
    if isinstance(top, ast.comprehension):
        for test in top.ifs:
            if not isinstance(test, ast.BoolOp):
                yield from _negated(test, lines, function)
    for child in ast.iter_child_nodes(top):
        if isinstance(child, ast.expr | ast.comprehension | ast.keyword):
            yield from _expression(child, lines, function)
        elif isinstance(child, ast.arguments):  # Of a lambda.
            for default in child.defaults:
                yield from _expression(default, lines, function)


def _kind(node: ast.AST) -> str:
    if isinstance(node, ast.Compare):
        return "compare" if type(node.ops[0]) in _COMPARE else ""
    if isinstance(node, ast.BoolOp):
        return "boolean"
    if isinstance(node, ast.UnaryOp):
        return "not" if isinstance(node.op, ast.Not) else ""
    if isinstance(node, ast.IfExp):
        return "choice"
    if isinstance(node, ast.BinOp):
        return "arithmetic" if type(node.op) in _ARITHMETIC else ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bytes):
        return "constant"
    return ""


# The changes.


def _compare(node: ast.AST) -> None:
    assert isinstance(node, ast.Compare)
    node.ops[0] = _COMPARE[type(node.ops[0])]()


def _boolean(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()


def _choice(node: ast.AST) -> None:
    assert isinstance(node, ast.IfExp)
    node.body, node.orelse = node.orelse, node.body


def _not(node: ast.AST) -> None:
    assert isinstance(node, ast.UnaryOp)
    node.op = ast.UAdd()  # `+` of a truth value is the value.
    node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])


def _arithmetic(node: ast.AST) -> None:
    assert isinstance(node, ast.BinOp | ast.AugAssign)
    node.op = _ARITHMETIC[type(node.op)]()


def _constant(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    match node.value:
        case bool():
            node.value = not node.value
        case int() | float():
            node.value += 1
        case str():
            node.value += "~"
        case bytes():
            node.value += b"~"


_CHANGES: dict[str, Callable[[ast.AST], None]] = {
    "compare": _compare,
    "boolean": _boolean,
    "choice": _choice,
    "not": _not,
    "arithmetic": _arithmetic,
    "constant": _constant,
    "statement": lambda node: None,
    "negate": lambda node: None,
}


def _replace(tree: ast.AST, found: ast.AST, kind: str) -> None:
    """Put something else in the place of a node, where it cannot be changed in itself."""
    if kind not in ("statement", "negate"):
        return
    new: ast.AST = ast.Pass() if kind == "statement" else ast.UnaryOp(ast.Not(), found)  # type: ignore[arg-type]
    ast.copy_location(new, found)

    class Swap(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is found else self.generic_visit(node)

    Swap().visit(tree)
