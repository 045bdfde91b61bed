"""Drawing: a Scalabel frame onto its picture, and the HTML report of a set of runs."""

from bdd100k_models.visualization.drawing import beside, draw_frame
from bdd100k_models.visualization.pictures import check_targets, read_picture, save_picture
from bdd100k_models.visualization.report import ReportRun, ReportTable, write_report

__all__ = [
    "ReportRun",
    "ReportTable",
    "beside",
    "check_targets",
    "draw_frame",
    "read_picture",
    "save_picture",
    "write_report",
]
