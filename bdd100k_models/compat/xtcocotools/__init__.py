"""What stands in for xtcocotools, which MMPose 0.x reads and scores keypoints with.

xtcocotools 1.14.3 is compiled for numpy 1 and for Pythons up to 3.11, and silent since 2023. These
modules, which `bdd100k_models.compat.finder` serves under its name, give what MMPose's datasets use
of it on pycocotools, with the same numbers. They can go with mmpose 0.x.
"""

from pycocotools import mask

__all__ = ["mask"]
