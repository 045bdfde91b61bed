"""Drivable area: semantic segmentation with other data. ``drivable.json``; mIoU.

``background`` is a label like the others in the file; the official evaluator ignores it.
"""

from bdd100k_models.tasks.sem_seg import MMSegTask
from bdd100k_models.zoo.tasks import TASKS


class DrivableTask(MMSegTask):
    """Drivable area segmentation."""

    facts = TASKS["drivable"]


TASK = DrivableTask
