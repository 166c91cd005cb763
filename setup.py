"""The one thing that pyproject.toml cannot say: the pipelines travel inside the wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithPipelines(build_py):
    """Copy the top-level folder pipelines/ to converter/stock_pipelines/ in what is built."""

    def run(self):
        """Build, then copy."""
        super().run()
        if self.editable_mode:  # A checkout reads the top-level folder itself.
            return
        for source in sorted(Path("pipelines").rglob("*.yml")):
            target = Path(self.build_lib, "converter", "stock_pipelines", source.relative_to("pipelines"))
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))


setup(cmdclass={"build_py": BuildWithPipelines})
