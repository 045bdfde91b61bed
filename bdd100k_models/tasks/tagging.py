"""Image tagging: weather or scene of a picture. MMClassification; ``tagging.json``; accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.data.tags import label_file, read_tags
from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import tagging_metrics
from bdd100k_models.files import read_json, write_json
from bdd100k_models.frames.tagging import tagging_frame, tagging_prediction
from bdd100k_models.tasks.base import (
    ImageRecord,
    OutputFile,
    Prediction,
    Task,
    test_data,
)
from bdd100k_models.zoo import classes

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

#: Dataset type of a config -> the attribute that its models predict, and the classes of it.
ATTRIBUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "BDD100KWeatherTaggingDataset": ("weather", classes.WEATHER),
    "BDD100KSceneTaggingDataset": ("scene", classes.SCENE),
}

_PREDS = "preds.json"
_COLUMNS = ("class_scores", "pred_score", "pred_label", "pred_class")


class TaggingTask(Task):
    """Image tagging. Whether weather or scene, the config says."""

    name = "tagging"
    title = "Image tagging"
    image_set = "100k"
    headline = ("accuracy", "precision", "recall", "f1_score")

    def __init__(self) -> None:
        self.attribute = ""
        self.classes: tuple[str, ...] = ()
        self._folder = Path()
        self._labels: Path | None = None

    def register(self) -> None:
        from bdd100k_models.models import dla  # noqa: F401
        from bdd100k_models.tasks import tagging_datasets  # noqa: F401

    def bind(self, cfg: Config) -> None:
        """Take attribute, classes and label file from the config's test data.

        Raises:
            UserError: the dataset type is none of tagging.
        """
        data = test_data(cfg)
        if data.get("type") not in ATTRIBUTES:
            raise UserError(
                f"{cfg.filename}: data.test.type is {data.get('type')!r}; "
                f"tagging takes {' or '.join(ATTRIBUTES)}"
            )
        self.attribute, own = ATTRIBUTES[data["type"]]
        self.classes = tuple(data.get("classes") or own)
        self._folder, self._labels = self.sources(data)

    def build_network(self, model_cfg: Config) -> nn.Module:
        from mmcls.models import build_classifier

        return build_classifier(model_cfg)

    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        from mmcls.datasets import build_dataset

        return build_dataset(data_cfg, default_args)

    def pipeline(self, cfg: Config) -> Callable[[ImageRecord], Any]:
        from mmcls.datasets.pipelines import Compose

        return MMClsPipeline(Compose(test_data(cfg)["pipeline"]))

    def predict(self, model: nn.Module, batch: dict[str, Any]) -> list[Any]:
        """(C,) float32 class scores of each picture, which sum to 1."""
        results: list[Any] = model(return_loss=False, **batch)
        return results

    def adapt(self, model: nn.Module) -> None:
        """Take the class order of the checkpoint, which is the order of the scores.

        Raises:
            UserError: the checkpoint predicts other classes than the config.
        """
        order: tuple[str, ...] = tuple(model.CLASSES)  # type: ignore[arg-type]
        if sorted(order) != sorted(self.classes):
            raise UserError(
                f"the checkpoint predicts {', '.join(order)}, the config {self.attribute} "
                f"({', '.join(self.classes)}); take the config that belongs to it"
            )
        self.classes = order

    def outputs(self) -> tuple[OutputFile, ...]:
        return (OutputFile("tagging", "tagging.json"), OutputFile("preds", _PREDS, frames=False))

    def convert(self, result: np.ndarray, record: ImageRecord) -> Prediction:
        """``result``: (C,) class scores."""
        scores = np.asarray(result)
        frame = tagging_frame(record.name, scores, self.classes, self.attribute)
        prediction = tagging_prediction(scores, self.classes)
        return Prediction(entries={"tagging": frame, "preds": prediction}, frame=frame)

    def finish(self, records: Sequence[ImageRecord], out_dir: Path) -> None:
        """Turn ``preds.json`` into its columns, and write ``results.json``.

        The latter holds the scores of those images whose tag is known, and their number.
        """
        rows = read_json(out_dir / _PREDS)
        columns = {key: [row[key] for row in rows] for key in _COLUMNS}
        write_json(out_dir / _PREDS, columns)
        results = self._results(records, columns["class_scores"])
        write_json(out_dir / "results.json", results)
        if results["images"]:
            shown = ", ".join(
                f"{key} {value:.2f}" for key, value in results.items() if key != "images"
            )
            print(f"{self.attribute} of {results['images']} images: {shown}")

    def _results(
        self, records: Sequence[ImageRecord], class_scores: Sequence[Any]
    ) -> dict[str, Any]:
        pairs = [
            (scores, self.classes.index(tag))
            for scores, tag in zip(class_scores, self._true_tags(records), strict=True)
            if tag is not None and tag in self.classes
        ]
        if not pairs:
            return {"images": 0}
        scores, targets = zip(*pairs, strict=True)
        return {"images": len(pairs), **tagging_metrics(scores, targets)}

    def _true_tags(self, records: Sequence[ImageRecord]) -> list[str | None]:
        """Tags of the dataset's images; pictures from elsewhere may bear the same names."""
        own = [
            Path(record.path).parent.resolve() == (self._folder / record.name).parent.resolve()
            for record in records
        ]
        if self._labels is None or not self._labels.is_file() or not any(own):
            return [None] * len(records)
        known = read_tags(self._labels, self.attribute)
        return [
            known.get(record.name) if is_own else None
            for record, is_own in zip(records, own, strict=True)
        ]

    def run_options(self) -> dict[str, Any]:
        return {"attribute": self.attribute}

    def sources(self, data: Mapping[str, Any]) -> tuple[Path, Path | None]:
        """Image folder and label file; the file of 2018 where that of 2020 is not there."""
        folder, labels = super().sources(data)
        return folder, label_file(labels) if labels is not None else None


class MMClsPipeline:
    """A record through an MMClassification test pipeline; picklable for loader workers."""

    def __init__(self, compose: Callable[[dict[str, Any]], Any]) -> None:
        self._compose = compose

    def __call__(self, record: ImageRecord) -> Any:
        return self._compose({"img_info": {"filename": record.path}, "img_prefix": None})


TASK = TaggingTask
