"""What setup.cfg cannot say: files of the source tree's root travel in the package.

An installed package finds them where `bdd100k_models.files.places` looks: configs, catalogue, model
cards, the demo's models, and the scripts that run a part of themselves.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
#: Beside every folder that has a ``metafile.yml``, which are those of the tasks.
CARRIED = ("LICENSE", "model-index.yml", "configs", "demo/models", "demo/run.py", "tools")


class BuildWithRepository(build_py):
    """Copies the carried files into the package as it is built; not for an editable install."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "bdd100k_models", "repository")
        shutil.rmtree(target, ignore_errors=True)
        tasks = sorted(path.parent.name for path in ROOT.glob("*/metafile.yml"))
        for name in (*CARRIED, *tasks):
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / name, place)


setup(cmdclass={"build_py": BuildWithRepository})
