"""Tags out of label files."""

import json
from pathlib import Path

import pytest

from bdd100k_models.data.tags import label_file, read_tags
from bdd100k_models.errors import UserError


def test_labels_of_2018_stand_in(tmp_path: Path) -> None:
    new = tmp_path / "det_20" / "det_val.json"
    old = tmp_path / "bdd100k_labels_images_val.json"
    new.parent.mkdir()
    assert label_file(new) == new
    old.write_text(json.dumps([{"name": "a.jpg", "attributes": {"weather": "clear"}}]))
    assert label_file(new) == old
    assert read_tags(new, "weather") == {"a.jpg": "clear"}
    new.touch()
    assert label_file(new) == new


def test_tags_in_the_order_of_the_file(tmp_path: Path) -> None:
    frames = [
        {"name": "b.jpg", "attributes": {"weather": "rainy", "scene": "tunnel"}},
        {"name": "a.jpg", "attributes": {"weather": "clear", "scene": None}},
        {"name": "c.jpg", "attributes": None},
        {"name": "d.jpg"},
    ]
    (tmp_path / "labels.json").write_text(json.dumps({"frames": frames}))
    assert list(read_tags(tmp_path / "labels.json", "weather").items()) == [
        ("b.jpg", "rainy"),
        ("a.jpg", "clear"),
    ]
    assert read_tags(tmp_path / "labels.json", "scene") == {"b.jpg": "tunnel"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no labels at .*labels.json"),
        ("{", "labels .*labels.json is not JSON"),
        ('{"images": []}', "is not in Scalabel form"),
        ('[{"attributes": {}}]', "frame 0 has no 'name'"),
        ('[{"name": "a", "attributes": 5}]', "'attributes' of frame 'a' is 5, not an object"),
        ('[{"name": "a", "attributes": {"weather": [1]}}]', "weather of frame 'a' is not text"),
    ],
)
def test_bad_label_files(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "labels.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_tags(path, "weather")
