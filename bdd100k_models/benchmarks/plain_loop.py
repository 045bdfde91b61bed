"""The loop that the OpenMMLab packages themselves offer, over the pictures of a config.

``python -m bdd100k_models.benchmarks.plain_loop`` is the baseline of ``tools/benchmark.py run``:
each package's own ``single_gpu_test`` with batches of one in float32, its own data set, loader and
wrapper with the config's loader processes, results in a list, conversion afterwards. Nothing of
this package's settings for speed is here; what the networks need to run at all on today's torch
(``bdd100k_models.compat``) is.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.benchmarks.stages import Spent, Stages, alone
from bdd100k_models.files import write_json
from bdd100k_models.system import peak_memory

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.tasks.base import ImageRecord, Task

#: Pictures that the forward pass is timed on alone.
ALONE = 5


def build_parser() -> argparse.ArgumentParser:
    """The arguments of the process."""
    parser = argparse.ArgumentParser(prog="plain_loop", description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data-root", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the files")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--report", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--started", type=float, required=True, help="when the command was given")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Predict, convert, write; then time the parts alone."""
    args = build_parser().parse_args(argv)
    import torch
    from mmcv.parallel import MMDataParallel
    from mmcv.runner import load_checkpoint

    from bdd100k_models import load_config
    from bdd100k_models.engine.model import build_network
    from bdd100k_models.tasks import task_of

    cfg = load_config(args.config, data_root=args.data_root)
    task = task_of(cfg)
    package = task.facts.package
    network = build_network(task, cfg)
    load_checkpoint(network, args.checkpoint, map_location="cpu")
    network.CLASSES = task.class_names(cfg)  # type: ignore[assignment]
    dataset, loader = build_loader(task, cfg)
    if args.device == "cpu":
        model = MMDataParallel(network)
    else:
        model = MMDataParallel(network.cuda(), device_ids=[0])

    stages = Stages()
    forward = network.forward
    network.forward = stages.calls("forward", forward)
    single_gpu_test = importlib.import_module(f"{package}.apis").single_gpu_test
    begun = time.time()
    results = single_gpu_test(model, TimedLoader(loader, stages))
    with stages("conversion"):
        converted = list(converted_results(task, cfg, dataset, results))
    with stages("writing"):
        write(task, cfg, converted, args.out)
    seconds = time.time() - begun
    memory, children = peak_memory()

    network.forward = forward
    some = range(min(ALONE, len(dataset)))
    decoding = alone(lambda place: dataset[place], list(some))[1]
    samples = [data for _, data in zip(some, loader, strict=False)]
    options = {"rescale": True} if package == "mmdet" else {}

    def predict(data: Any) -> None:
        with torch.no_grad():
            model(return_loss=False, **options, **data)
        if args.device != "cpu":
            torch.cuda.synchronize()

    alone_seconds, alone_cpu = alone(predict, samples)
    # A top-down pose estimator takes a person at a time.
    share = len(dataset) / len(converted)
    spent = Spent(
        images=len(converted),
        start_up=begun - args.started,
        seconds=seconds,
        memory_mib=memory,
        loader_mib=children,
        stages=dict(stages.seconds),
        forward=alone_seconds * share,
        forward_cpu=alone_cpu * share,
        decoding_cpu=decoding * share,
    )
    write_json(args.report, spent.figures())
    return 0


def build_loader(task: Task, cfg: Config) -> tuple[Any, Any]:
    """The package's data set of ``data.test`` and its loader: one picture (person) at a time."""
    from bdd100k_models.tasks.base import test_data

    dataset = task.build_dataset(test_data(cfg), {"test_mode": True})
    build_dataloader = importlib.import_module(f"{task.facts.package}.datasets").build_dataloader
    own = {"mmcls": {"round_up": False}, "mmpose": {"drop_last": False}}
    loader = build_dataloader(
        dataset,
        samples_per_gpu=1,
        workers_per_gpu=cfg.data.get("workers_per_gpu", 2),
        dist=False,
        shuffle=False,
        persistent_workers=False,
        **own.get(task.facts.package, {}),
    )
    return dataset, loader


class TimedLoader:
    """A package's loader that says how long it was waited for; all else as it is."""

    def __init__(self, loader: Any, stages: Stages) -> None:
        self._loader = loader
        self._stages = stages

    def __iter__(self) -> Iterator[Any]:
        return self._stages.steps("loading", self._loader)

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def converted_results(
    task: Task, cfg: Config, dataset: Any, results: Sequence[Any]
) -> Iterator[tuple[ImageRecord, Any]]:
    """Each picture with what is written for it."""
    from bdd100k_models.tasks.base import ImageRecord

    options = task.settle(task.options(), cfg, split="val", images=False)
    convert = task.converter(cfg, options, task.class_names(cfg))
    named = _poses(dataset, results) if task.name == "pose" else _by_picture(dataset, results)
    for index, (name, result) in enumerate(named):
        record = ImageRecord(index, name, name)
        yield record, convert(result, record)


def _by_picture(dataset: Any, results: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    infos = dataset.img_infos if hasattr(dataset, "img_infos") else dataset.data_infos
    for info, result in zip(infos, results, strict=True):
        name = (info.get("img_info") or info)["filename"]
        if isinstance(result, dict):
            yield name, result["pan_results"]
        elif isinstance(result, tuple):
            yield name, _instances(result, info)
        else:
            yield name, result


def _instances(result: tuple[Any, Any], info: Any) -> Any:
    """Boxes and run lengths, as ``single_gpu_test`` keeps them."""
    from pycocotools import mask as coco_mask

    from bdd100k_models.frames.instance import CroppedMask
    from bdd100k_models.tasks.ins_seg import Instances

    boxes, encoded = result
    masks = [
        [CroppedMask(coco_mask.decode(rle).astype(np.bool_), x=0, y=0) for rle in rles]
        for rles in encoded
    ]
    return Instances(boxes, masks, info["height"], info["width"])


def _poses(dataset: Any, results: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """People of each picture together; pictures without people too."""
    from bdd100k_models.tasks.pose import Poses
    from bdd100k_models.tasks.pose_boxes import PersonBox

    # The ids of annotated people begin anew with each picture.
    boxes = {(person["image_file"], person["bbox_id"]): person for person in dataset.db}
    found: defaultdict[str, list[tuple[Any, float, Any]]] = defaultdict(list)
    for result in results:
        path = result["image_paths"][0]
        name = os.path.relpath(path, dataset.img_prefix)
        person = boxes[path, result["bbox_ids"][0]]
        x, y, width, height = person["bbox"][:4]
        box = PersonBox(x, y, width, height, person["bbox_score"])
        found[name].append((result["preds"][0], result["boxes"][0][4], box))
    for name in dataset.name2id:
        people = found[name]
        keypoints = np.array([points for points, _, _ in people], np.float32)
        areas = np.array([area for _, area, _ in people], np.float32)
        shape = len(people), *(keypoints.shape[1:] or (18, 3))
        yield name, Poses(keypoints.reshape(shape), areas, tuple(box for _, _, box in people))


def write(task: Task, cfg: Config, converted: Sequence[tuple[ImageRecord, Any]], out: Path) -> None:
    """The task's files, each dumped at once, and its masks."""
    from bdd100k_models.visualization import save_picture

    out.mkdir(parents=True, exist_ok=True)
    options = task.settle(task.options(), cfg, split="val", images=False)
    for output in task.converter(cfg, options, task.class_names(cfg)).outputs:
        entries = [prediction.entries[output.key] for _, prediction in converted]
        with open(out / output.filename, "w", encoding="utf-8") as file:
            json.dump({"frames": entries} if output.frames else entries, file)
    for _, prediction in converted:
        for name, array in prediction.pictures.items():
            save_picture(out / name, array)


if __name__ == "__main__":
    main()
