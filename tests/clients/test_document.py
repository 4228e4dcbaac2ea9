"""docs/clients.md is what the tests run: every block is a file of tests/clients, and no lock names a registry."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TEXT = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^`(tests/clients/[^`]+)`:\n\n```\w+\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_every_block_is_a_file() -> None:
    assert len(QUOTED) == len(re.findall(r"^```\w+$", TEXT, re.MULTILINE)) > 8


@pytest.mark.parametrize(("path", "block"), QUOTED, ids=[path for path, _ in QUOTED])
def test_a_block_is_what_runs(path: str, block: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == block


def test_every_recipe_stands_in_the_document() -> None:
    tested = {path.parent.name for path in HERE.glob("*/*.test.?s")} - {"eslint"} | {"python"}
    assert {path.split("/")[2] for path, _ in QUOTED} == tested


def test_versions_are_pinned_and_no_registry_is_named() -> None:
    project = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"[\d.]+", version) for version in project["dependencies"].values())
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    assert [name for name, each in lock["packages"].items() if "resolved" in each] == []
