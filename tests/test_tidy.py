"""Style is a test, not a review topic: sizes, forbidden words, texts, migrations, documents."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
from piccolo.apps.migrations.commands.new import AutoMigrationManager
from piccolo.conf.apps import AppConfig

from backend import errors
from backend.cli import cli
from backend.settings import PREFIX, Settings
from backend.texts import LOCALES
from web import catalogue

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("backend", "web", "mobile_api", "tests", "e2e")
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60

MONEY = (
    "backend/money.py",
    "backend/posting.py",
    "backend/intent.py",
    "backend/verdict.py",
    "backend/bankword.py",
    *(f"backend/{m}" for m in ("ledger", "payments", "banking", "bills", "merchant", "risk")),
    "backend/settlement",
    "backend/transfers",
    "backend/redpacket",
)
HARMLESS = re.compile(r"inf|seconds")  # a bound, a duration
MONEY_NAMES = re.compile(r"fen|amount|balance|total|price|sum")

# Where a transaction may be open, what can't be in it: a second task, or another process.
CONCURRENT = {"gather", "create_task", "ensure_future", "TaskGroup", "to_thread"}
REMOTE = {"ledger", "risk", "bank"}
REMOTE_CALLERS = ("payments", "banking", "merchant", "settlement", "transfers", "redpacket")
SCHEMAS = (
    *("identity", "bills", "events", "payments", "banking", "merchant", "risk", "jobs"),
    *("sales", "settlement", "friends", "transfers", "redpacket"),
)
UNSAFE_IN_TEMPLATES = re.compile(
    r"\|\s*safe\b|hx-on|\bon(click|load|error|submit|change|input)\s*=|\bstyle\s*=|<style\b|"
    r"javascript:|<script(?![^>]*\bsrc=)[^>]*>",
    re.IGNORECASE,
)


def files(*packages: str) -> Iterator[Path]:
    for package in packages:
        path = ROOT / package
        found = [path] if path.is_file() else path.rglob("*.py")
        yield from (p for p in found if "node_modules" not in p.parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def refusals() -> list[str]:
    """Codes of the product's refusals; tests may have some of their own."""
    for module in (p.parent.name for p in (ROOT / "backend").glob("*/__init__.py")):
        import_module(f"backend.{module}")
    kinds = errors.REFUSALS.items()
    return sorted(code for code, kind in kinds if kind.__module__.startswith("backend."))


def test_files_and_functions_fit_on_a_screen() -> None:
    too_long = []
    for path in files(*PACKAGES):
        lines = len(path.read_text().splitlines())
        if lines > MAX_FILE_LINES:
            too_long.append(f"{name_of(path)}: {lines} lines")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    too_long.append(f"{name_of(path)}: {node.name} has {length} lines")
    assert too_long == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(FIX" r"ME|TO" r"DO|XX" r"X|HA" r"CK)\b")
    found = [
        f"{name_of(path)}:{number}"
        for path in files(*PACKAGES)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if later.search(line)
    ]
    assert found == []


def test_money_is_whole_fen() -> None:
    found = [
        f"{name_of(path)}:{number} {what}"
        for path in files(*MONEY)
        for number, what in inexact(tree(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("fee_fen: float = 0", 1),
        ("def pay(amount: float) -> None: ...", 1),
        ("half = amount_fen / 2", 1),
        ("share = round(rate * 3)", 1),
        ("from decimal import Decimal; x = Decimal('1')", 1),
        ("path = folder / name; wait_s: float = 0.5; half = amount_fen // 2", 0),
    ],
)
def test_the_check_of_money_sees(code: str, count: int) -> None:
    assert len(list(inexact(ast.parse(code)))) == count


def inexact(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        match node:
            case ast.Name(id="Decimal"):
                yield node.lineno, "Decimal"
            case ast.Call(func=ast.Name(id="float" | "round")) if not HARMLESS.search(
                ast.unparse(node)
            ):
                yield node.lineno, ast.unparse(node)
            case (
                ast.AnnAssign(annotation=kind, target=ast.Name(id=name))
                | ast.arg(annotation=ast.expr() as kind, arg=name)
            ) if "float" in ast.unparse(kind) and MONEY_NAMES.search(name):
                yield node.lineno, f"float {name}"
            case ast.BinOp(op=ast.Div()) if MONEY_NAMES.search(ast.unparse(node)):
                yield node.lineno, ast.unparse(node)


def test_nothing_concurrent_or_remote_in_a_transaction() -> None:
    found = []
    for path in files("backend"):
        remote = REMOTE if path.parent.name in REMOTE_CALLERS else set()
        for block in transactions(tree(path)):
            for call in (node for node in ast.walk(block) if isinstance(node, ast.Call)):
                *owners, verb = ast.unparse(call.func).split(".")
                concurrent = verb in CONCURRENT and owners  # asyncio.gather, group.create_task
                if concurrent or {owner.strip("_") for owner in owners} & remote:
                    found.append(f"{name_of(path)}:{call.lineno} {ast.unparse(call.func)}")
    assert found == []


def test_the_check_of_transactions_sees() -> None:
    code = "async def f():\n async with TX.transaction():\n  await asyncio.gather(g())"
    assert len(list(transactions(ast.parse(code)))) == 1


def transactions(module: ast.Module) -> Iterator[ast.AsyncWith]:
    for node in ast.walk(module):
        if isinstance(node, ast.AsyncWith) and any(
            ".transaction(" in ast.unparse(item.context_expr) for item in node.items
        ):
            yield node


def test_a_modules_tables_are_its_own() -> None:
    """SQL names no table of another module's schema; the auditor's eye on the books is alone."""
    reference = re.compile(rf"\b(?:from|join|into|update)\s+({'|'.join(SCHEMAS)})\.\w+")
    found = []
    for path in files("backend"):
        if "migrations" in path.parts:
            continue
        module = path.relative_to(ROOT / "backend").parts[0]
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for schema in reference.findall(node.value):
                    if schema != module and (schema, module) not in READERS:
                        found.append(f"{name_of(path)}:{node.lineno} {schema}")
    assert found == []


# The queue's health; and nothing else.
READERS = {("jobs", "ops.py"), ("jobs", "supervisor"), ("jobs", "worker.py")}


@pytest.mark.parametrize("code", refusals())
def test_every_refusal_is_tested_and_told_in_both_languages(code: str) -> None:
    kind = errors.REFUSALS[code].__name__
    mention = re.compile(rf"\b{kind}\b|[\"']{code}[\"']")
    tests = [p for p in files("tests", "e2e") if p != Path(__file__)]
    assert any(mention.search(path.read_text()) for path in tests), f"no test of {kind}"
    for language in LOCALES:
        keys = {catalogue.key_of(m) for m in catalogue.entries(language) if m.string}
        assert f"refusal.{code}" in keys, language


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_catalogues_are_complete(language: str) -> None:
    assert catalogue.untranslated(language) == []


def test_templates_hold_no_script_no_style_no_unescaped_text() -> None:
    found = [
        f"{name_of(path)}:{number} {match.group()}"
        for path in (ROOT / "web" / "templates").rglob("*.html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for match in UNSAFE_IN_TEMPLATES.finditer(line)
    ]
    assert found == []


def apps() -> list[AppConfig]:
    paths = sorted((ROOT / "backend").glob("*/piccolo_app.py"))
    return [import_module(f"backend.{p.parent.name}.piccolo_app").APP_CONFIG for p in paths]


@pytest.mark.parametrize("app", apps(), ids=lambda app: app.app_name)
async def test_no_migration_is_pending(app: AppConfig) -> None:
    statements = await AutoMigrationManager().get_alter_statements(app)
    assert [line for each in statements for line in each.statements] == []


def test_the_readme_names_what_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", readme, re.MULTILINE)) <= targets
    commands = set(re.findall(r"(?:^|`)yipay ([a-z]+)", readme, re.MULTILINE))
    assert commands <= set(cli.commands)
    assert set(cli.commands) <= commands
    for path in re.findall(r"`((?:backend|web|mobile_api|tests|e2e)/[\w/.]*)`", readme):
        assert (ROOT / path).exists(), path


def test_the_readme_documents_every_setting() -> None:
    readme = (ROOT / "README.md").read_text()
    settings = {f"{PREFIX}{f.name.upper()}" for f in msgspec.structs.fields(Settings)}
    assert set(re.findall(r"\bYIPAY_[A-Z_]*[A-Z]\b", readme)) == settings
