"""Imports only go down: import-linter holds the floors that pyproject.toml draws."""

import subprocess
import sys
from pathlib import Path


def test_imports_only_go_down() -> None:
    root = Path(__file__).parent.parent
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run([sys.executable, "-c", program, "--no-cache"], cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
