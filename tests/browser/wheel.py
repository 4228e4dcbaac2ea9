"""A wheel that is built of a checkout without GraphiQL has it: part of `make test-browser`."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns("__pycache__", "dist", "node_modules")


def test_a_wheel_has_all_of_it(tmp_path: Path) -> None:
    checkout = tmp_path / "guanxi"
    for folder in ("app", "schema", "migrations"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=LEFT_OUT)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md"):
        shutil.copy(ROOT / name, checkout)
    asked = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(checkout)]
    subprocess.run([sys.executable, "-m", "pip", *asked], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as file:
        there = {name.removeprefix("app/graphiql/") for name in file.namelist() if name.startswith("app/graphiql/")}
        page = file.read("app/graphiql/dist/index.html").decode()
    # Built by the same Node of the same lock, it is the same to the letter of the names, which tell what is in it.
    built = ROOT / "app" / "graphiql"
    assert there == {str(path.relative_to(built)) for path in (built / "dist").rglob("*") if path.is_file()}
    assert page == (built / "dist" / "index.html").read_text(encoding="utf-8")
