"""Stands in for setuptools while pip builds mmcv 1.x, and at no other time.

mmcv 1.7.0 comes as source only. Its setup.py needs pkg_resources, which setuptools 81 dropped, and
from Python 3.13 on it fails in any case. Its Python files need no set-up at all: `build_meta` puts
them into a wheel. With this folder's parent on PYTHONPATH:

    python -m pip install --no-deps --no-build-isolation --no-cache-dir mmcv==1.7.0

It can go with mmcv 1.x.
"""
