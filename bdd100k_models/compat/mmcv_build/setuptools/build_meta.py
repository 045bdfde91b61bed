"""A build backend (PEP 517) for the pure Python part of mmcv 1.x, in the place of setuptools'."""

import base64
import hashlib
import re
import sys
import zipfile
from pathlib import Path

#: What `mmcv.ops` alone needs to be compiled.
SOURCES = "csrc"
METADATA = """Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: OpenMMLab Computer Vision Foundation, without compiled operations
Home-page: https://github.com/open-mmlab/mmcv
License: Apache-2.0
Requires-Dist: addict
Requires-Dist: numpy
Requires-Dist: packaging
Requires-Dist: Pillow
Requires-Dist: pyyaml
Requires-Dist: yapf
"""
WHEEL = """Wheel-Version: 1.0
Generator: bdd100k_models
Root-Is-Purelib: true
Tag: py3-none-any
"""


def get_requires_for_build_wheel(config_settings=None):  # type: ignore[no-untyped-def]
    """Nothing."""
    return []


def prepare_metadata_for_build_wheel(  # type: ignore[no-untyped-def]
    metadata_directory, config_settings=None
):
    """Write the ``.dist-info`` folder; gives its name."""
    name, version = _project()
    info = f"{name}-{version}.dist-info"
    for file, content in _info(name, version).items():
        path = Path(metadata_directory, info, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return info


def build_wheel(  # type: ignore[no-untyped-def]
    wheel_directory, config_settings=None, metadata_directory=None
):
    """Write the wheel; gives its name."""
    name, version = _project()
    wheel = f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        path.as_posix(): path.read_bytes()
        for path in sorted(Path(name).rglob("*"))
        if path.is_file() and SOURCES not in path.parts and "__pycache__" not in path.parts
    }
    files.update((f"{info}/{file}", text.encode()) for file, text in _info(name, version).items())
    if Path("LICENSE").is_file():
        files[f"{info}/LICENSE"] = Path("LICENSE").read_bytes()
    record = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(Path(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


def _project():  # type: ignore[no-untyped-def]
    """Name and version of the source tree that this process stands in."""
    version = Path("mmcv", "version.py")
    if not version.is_file():
        raise SystemExit(f"{Path.cwd().name} is not the source of mmcv; this builds nothing else")
    found = re.search(r"^__version__ = '([^']+)'", version.read_text(encoding="utf-8"), re.M)
    if found is None:
        raise SystemExit(f"{version} says no version")
    return "mmcv", found.group(1)


def _info(name, version):  # type: ignore[no-untyped-def]
    return {"METADATA": METADATA.format(name=name, version=version), "WHEEL": WHEEL}


def _digest(data):  # type: ignore[no-untyped-def]
    value = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + value.rstrip(b"=").decode()


# Where a project names no backend, pip asks for this attribute of setuptools'.
__legacy__ = sys.modules[__name__]
