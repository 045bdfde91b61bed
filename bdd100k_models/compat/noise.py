"""Messages at import and at run time that tell a user of the zoo nothing that he can act on."""

import logging
import warnings

USELESS_WARNINGS = (
    # mmcv 1.x announces mmcv 2; the zoo is built on 1.x.
    "On January 1, 2023, MMCV will release v2.0.0",
    # mmdet and mmseg losses describe a default that the published models were trained with.
    "Default ``avg_non_ignore`` is False",
    # The same for mmcv's HSigmoid (DyHead) and a name inside mmdet's heads.
    "In MMCV v1.4.4, we modified the default value",
    "DeprecationWarning: `num_anchors` is deprecated",
    # mmcls, mmdet and mmseg call torch.meshgrid without the argument that torch has asked for
    # since 1.10; torch still does what they expect.
    "torch.meshgrid: in an upcoming release",
)


def silence() -> None:
    """Ignore the messages above, and no others."""
    for message in USELESS_WARNINGS:
        warnings.filterwarnings("ignore", message=message, category=UserWarning)
    # What Python >= 3.12 and >= 3.14 tell of mm* packages when they are compiled.
    for message in (".*invalid escape sequence", "'return' in a 'finally' block"):
        warnings.filterwarnings("ignore", message, SyntaxWarning, module=r".*\bmm\w+")
    logging.getLogger("torch.utils.cpp_extension").addFilter(_is_about_us)


def _is_about_us(record: logging.LogRecord) -> bool:
    """False for torch's note on a CUDA toolkit without a GPU: mmcv asks for it, nobody builds."""
    return not str(record.msg).startswith("No CUDA runtime is found")
