"""The import hook, each case in an interpreter of its own."""

import re
from pathlib import Path

import bdd100k_models


def test_importing_the_package_imports_nothing_heavy(run_python):
    out = run_python(
        "import sys, bdd100k_models\n"
        "print([m for m in ('torch', 'numpy', 'mmcv', 'mmdet') if m in sys.modules])\n"
    )
    assert out == "[]\n"


def test_the_stand_in_serves_mmcv_and_install_is_idempotent(run_python):
    out = run_python(
        "import sys\n"
        "from bdd100k_models import compat\n"
        "hooks = len(sys.meta_path)\n"
        "compat.install()\n"
        "assert len(sys.meta_path) == hooks\n"
        "import mmcv.ops, mmcv._ext\n"
        "print(mmcv._ext.__name__, mmcv._ext.__file__)\n"
        "import mmcls.models, mmdet.models, mmseg.models, mmpose.models\n"
    )
    name, file = out.split()
    assert name == "mmcv._ext"
    assert Path(file).parts[-3:] == ("bdd100k_models", "compat", "ext.py")


def test_a_compiled_module_is_preferred(run_python, tmp_path):
    package = tmp_path / "site" / "mmcv"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "_ext.py").write_text("origin = 'compiled'\n")
    out = run_python(
        "import bdd100k_models, mmcv._ext\nprint(mmcv._ext.origin)\n", tmp_path / "site"
    )
    assert out == "compiled\n"


def test_mmcv_may_be_imported_first(run_python):
    out = run_python(
        "import mmcv\nimport bdd100k_models, mmcv.ops\nprint(mmcv.Config(dict(a=1)).pretty_text)\n"
    )
    assert out == "a = 1\n\n"


def test_bridged_modules_keep_their_own_loader(run_python):
    out = run_python(
        "import bdd100k_models, inspect, mmcv.parallel.distributed as module\n"
        "print(type(module.__spec__.loader).__name__, type(module.__loader__).__name__)\n"
        "print('class MMDistributedDataParallel' in inspect.getsource(module))\n"
    )
    assert out == "SourceFileLoader SourceFileLoader\nTrue\n"


def test_spawned_loader_workers_have_the_ops(run_python):
    out = run_python(
        "import bdd100k_models\n"
        "from torch.utils.data import DataLoader\n"
        "class Boxes:\n"
        "    def __len__(self):\n"
        "        return 2\n"
        "    def __getitem__(self, index):\n"
        "        import torch\n"
        "        from mmcv.ops import nms\n"
        "        boxes = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 30, 30.]])\n"
        "        return nms(boxes, torch.tensor([.1, .9, .5]), 0.5)[1]\n"
        "if __name__ == '__main__':\n"
        "    loader = DataLoader(Boxes(), num_workers=1, multiprocessing_context='spawn')\n"
        "    print([batch.tolist() for batch in loader])\n"
    )
    assert out == "[[[1, 2]], [[1, 2]]]\n"


def test_imports_are_quiet(run_python):
    out = run_python(
        "import sys, io\n"
        "sys.stderr = io.StringIO()\n"
        "import bdd100k_models, mmdet.models, mmseg.models\n"
        "print(repr(sys.stderr.getvalue()))\n"
    )
    assert out == "''\n"


def test_no_other_module_reaches_inside():
    package = Path(bdd100k_models.__file__).parent
    reaching = [
        str(file)
        for file in package.rglob("*.py")
        if "compat" not in file.relative_to(package).parts
        and re.search(r"(from|import) bdd100k_models\.compat\b", file.read_text())
    ]
    assert reaching == []
