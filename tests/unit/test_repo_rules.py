"""Rules of the repository that no type checker knows. Each has been broken somewhere before; here it cannot be."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from deltawire.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "src/deltawire/core").glob("**/*.py"))
CODECS = sorted((ROOT / "src/deltawire/venues").glob("**/*.py"))

# Written in two parts, so that this file keeps its own rule.
REGISTRY_HOSTS = re.compile("|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(org|com)")))
MACHINE_PATHS = re.compile(r"(?<![\w.~/])/(" + "work" + r"|root|home/\w+|Users/\w+|farm)/")

# What a pure core may not touch: clocks, chance, the loop, the outside.
IMPURE = {
    "asyncio", "datetime", "http", "io", "logging", "os", "pathlib", "random", "secrets", "select", "signal", "socket",
    "subprocess", "sys", "threading", "time", "urllib", "uuid",
}  # fmt: skip
MONEY = re.compile(r"_e8\b|_e8_|price|size|notional|fee|pnl|edge|spread|slip|margin", re.IGNORECASE)


def tracked_texts() -> list[tuple[str, str]]:
    names = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    found = []
    for name in names.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            try:
                found.append((name, path.read_text(encoding="utf-8")))
            except UnicodeDecodeError:
                continue  # recordings and pictures
    return found


def matches(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names


def float_money(tree: ast.AST) -> list[int]:
    """Lines where money is made a float: by a call, or by a float literal or a true division beside it."""
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="float" | "Decimal"), args=args) if _speaks_of_money(args):
                lines.append(node.lineno)
            case ast.BinOp(left=left, op=op, right=right):
                is_float = isinstance(op, ast.Div) or any(
                    isinstance(side, ast.Constant) and isinstance(side.value, float) for side in (left, right)
                )
                if is_float and _speaks_of_money([left, right]):
                    lines.append(node.lineno)
    return lines


def _speaks_of_money(nodes: list[ast.expr]) -> bool:
    return any(MONEY.search(ast.unparse(node)) for node in nodes)


def test_no_file_names_a_package_registry():
    assert matches(REGISTRY_HOSTS) == []


def test_no_file_names_a_path_of_one_machine():
    assert matches(MACHINE_PATHS) == []


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_core_reads_no_clock_draws_no_chance_and_does_no_io(path):
    tree = ast.parse(path.read_text())
    assert imported(tree) & IMPURE == set()
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert calls & {"open", "print", "input"} == set()


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_core_holds_no_float_at_all(path):
    floats = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id in {"float", "Decimal"})
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    ]
    assert floats == []


@pytest.mark.parametrize("path", CODECS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_venue_adapters_never_make_money_a_float(path):
    assert float_money(ast.parse(path.read_text())) == []


@pytest.mark.parametrize("line", ["float(price)", "size_e8 / 2", "fee * 0.5", "Decimal(order.size)"])
def test_the_float_rule_sees_what_it_is_for(line):
    assert float_money(ast.parse(line)) == [1]


def commands() -> set[str]:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return set(group.commands)


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert [name for name in sorted(commands()) if f"deltawire {name}" not in readme] == []


def test_the_readme_promises_no_command_that_is_not_there():
    readme = (ROOT / "README.md").read_text()
    promised = set(re.findall(r"`(?:\.venv/bin/)?deltawire ([a-z][a-z-]*)", readme))
    assert promised - commands() == set()


def test_every_make_target_in_the_readme_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text())) - targets == set()
