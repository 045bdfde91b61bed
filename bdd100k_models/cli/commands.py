"""``bdd100k-models COMMAND …``: what the scripts do, as commands of an installed package."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bdd100k_models.errors import nearest
from bdd100k_models.version import __version__
from bdd100k_models.zoo.tasks import TASKS

PROGRAM = "bdd100k-models"
USER_ERROR = 2

#: What the user typed where it was a command and not a script: ``bdd100k-models test det``.
called: str | None = None


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: what the user types.
        module: the module of this package whose ``main`` it is.
        script: the script of the source tree that does the same; ``TASK`` stands for a task.
        summary: what it does, in some words.
    """

    name: str
    module: str
    script: str
    summary: str


COMMANDS = (
    Command("test", "test", "TASK/test.py", "run a model: test det NAME --images DIR"),
    Command("train", "train", "tools/train.py", "train the model of a config"),
    Command("evaluate", "evaluate", "tools/evaluate.py", "score predictions of any task"),
    Command("track", "track", "tools/track.py", "link the boxes of videos to tracks"),
    Command("analyze", "analyze", "tools/analyze.py", "explain a score by its errors"),
    Command("compare", "compare", "tools/compare.py", "compare two sets of predictions"),
    Command("verify", "verify_scores", "tools/verify_scores.py", "compare a score with its card"),
    Command("visualize", "visualize", "tools/visualize.py", "draw predictions"),
    Command("list", "list_models", "tools/list_models.py", "list the published models"),
    Command("download", "download", "tools/download.py", "fetch weights of published models"),
    Command("config", "print_config", "tools/print_config.py", "print a config as one file"),
    Command("publish", "publish_model", "tools/publish_model.py", "strip and name a checkpoint"),
    Command("pack", "pack_submission", "tools/pack_submission.py", "the file for the server"),
    Command("prepare-data", "prepare_data", "tools/prepare_data.py", "convert and check labels"),
    Command("mini-data", "make_mini", "tools/make_mini_bdd100k.py", "render a small dataset"),
    Command("demo", "demo", "demo/run.py", "every task on rendered scenes, scored and drawn"),
    Command("check-device", "check_device", "tools/check_device.py", "compare a GPU with the CPU"),
    Command("complete", "complete", "", "install mmcv and mmpose, which pip alone cannot"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names; gives the exit status."""
    global called
    words = list(sys.argv[1:] if argv is None else argv)
    name = words.pop(0) if words else "--help"
    if name in ("-h", "--help", "help"):
        print(overview())
        return 0
    if name == "--version":
        print(__version__)
        return 0
    command = next((one for one in COMMANDS if one.name == name), None)
    if command is None:
        hint = nearest(name, [one.name for one in COMMANDS], f"{PROGRAM} --help lists them")
        return _refuse(f"no command {name!r}: {hint}")
    called = f"{PROGRAM} {name}"
    entry: Callable[..., Any] = import_module(f"bdd100k_models.cli.{command.module}").main
    if "TASK" in command.script:
        tasks = list(TASKS)
        if not words or words[0] not in tasks:
            if words and words[0] not in ("-h", "--help"):
                return _refuse(f"no task {words[0]!r}: {nearest(words[0], tasks)}")
            return _refuse(f"which task? {called} TASK NAME …, TASK one of {', '.join(tasks)}")
        called = f"{called} {words[0]}"
        return int(entry(words[0], words[1:]))
    from bdd100k_models.cli.arguments import run

    return run(lambda: entry(words))


def overview() -> str:
    """The commands, one in a line."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [f"  {command.name:{width}}  {command.summary}" for command in COMMANDS]
    head = f"usage: {PROGRAM} COMMAND …   ({PROGRAM} COMMAND --help says what it takes)"
    return "\n".join([head, "", *lines])


def as_called(text: str) -> str:
    """``text`` with commands in the place of scripts, where the user typed a command.

    Messages name the scripts of the source tree; an installed package has none to run.
    """
    from bdd100k_models.files.places import FROM_SOURCE

    if called is None and FROM_SOURCE:
        return text
    for command in COMMANDS:
        if not command.script:
            continue
        pattern = re.escape(command.script).replace("TASK", rf"\b({'|'.join(TASKS)}|TASK)")
        new = f"{PROGRAM} {command.name}" + (r" \1" if "TASK" in command.script else "")
        text = re.sub(rf"(?:python3? )?(?<![\w/]){pattern}", new, text)
    return text


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return USER_ERROR
