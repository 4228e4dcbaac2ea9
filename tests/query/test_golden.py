"""The SQL of small, typical questions, to be read in reviews: tests/golden/<name>.graphql beside <name>.<dialect>.sql.

GUANXI_GOLDEN=1 writes them anew.
"""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from schema.schema import world
from tests.query.documents import FULL_PAGE
from tests.query.questions import questions_of

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.graphql"))
DIALECTS = ("sqlite", "postgresql")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", NAMES)
def test_the_sql_is_as_it_was_reviewed(name: str, dialect: str) -> None:
    [question] = questions_of((GOLDEN / f"{name}.graphql").read_text(encoding="utf-8"))
    path = GOLDEN / f"{name}.{dialect}.sql"
    text = "\n".join(line.strip() for line in world.compile(question, dialect).readable().splitlines()) + "\n"
    if os.environ.get("GUANXI_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "Another statement: GUANXI_GOLDEN=1 writes it, for a review."


def test_every_golden_file_belongs_to_a_question() -> None:
    expected = {f"{name}.{kind}" for name in NAMES for kind in ("graphql", *(f"{dialect}.sql" for dialect in DIALECTS))}
    assert {path.name for path in GOLDEN.iterdir()} == expected


def digests() -> str:
    [question] = questions_of(FULL_PAGE)
    return " ".join(sha256(world.compile(question, dialect).text.encode()).hexdigest() for dialect in DIALECTS)


def test_a_statement_is_the_same_in_every_process() -> None:
    program = "from tests.query.test_golden import digests; print(digests())"
    root = Path(__file__).parent.parent.parent
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    run = subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == digests()
