"""GraphiQL is built into the wheel; all else that setuptools is to know stands in pyproject.toml."""

import runpy

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithGraphiQL(build_py):
    def run(self) -> None:
        # An editable install finds it where `make install` builds it.
        if not self.editable_mode:
            runpy.run_path("app/graphiql/build.py", run_name="__main__")
        super().run()


setup(cmdclass={"build_py": BuildWithGraphiQL})
