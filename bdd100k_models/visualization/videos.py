"""Video files written, frame by frame, and animated pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import cv2

from bdd100k_models.errors import UserError
from bdd100k_models.files import replacing
from bdd100k_models.visualization.pictures import Picture, thumbnail


class VideoWriter:
    """An mp4 file (MPEG-4) that appears when it is whole.

    Args:
        path: the file.
        frame_rate: frames a second.

    Raises:
        UserError: by :meth:`write` and :meth:`close`; the place cannot be written.
    """

    def __init__(self, path: str | Path, frame_rate: float) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(f".{os.getpid()}.part.{self.path.name}")
        self._rate = frame_rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def write(self, picture: Picture) -> None:
        """The next frame, (H, W, 3) uint8 RGB; one of another size than the first is scaled."""
        height, width = picture.shape[:2]
        if self._writer is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"cannot write {self.path}: {error.strerror}") from error
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._size = (width, height)
            self._writer = cv2.VideoWriter(os.fspath(self._part), code, self._rate, self._size)
            if not self._writer.isOpened():
                raise UserError(f"cannot write {self.path}: is the folder read-only?")
        if (width, height) != self._size:
            picture = cv2.resize(picture, self._size)  # type: ignore[assignment]
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finish the file; nothing is written where there was no frame."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        try:
            os.replace(self._part, self.path)
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}") from error

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def save_animation(
    path: str | Path, pictures: Iterable[Picture], frame_rate: float, width: int = 720
) -> Path:
    """Write pictures, (H, W, 3) uint8 RGB of one size, as an animated ``.webp`` that repeats.

    Raises:
        UserError: no pictures, or a place that cannot be written to.
    """
    from PIL import Image

    frames = [Image.fromarray(thumbnail(picture, width)) for picture in pictures]
    if not frames:
        raise UserError(f"{path}: no pictures to animate")
    with replacing(path) as part:
        frames[0].save(
            part,
            format="WEBP",
            save_all=True,
            append_images=frames[1:],
            duration=round(1000 / frame_rate),
            loop=0,
            quality=70,
        )
    return Path(path)


def is_animated(file: str | Path) -> bool:
    """Whether a picture has more frames than one."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return bool(getattr(image, "is_animated", False))
    except OSError:
        return False
