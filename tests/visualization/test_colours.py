from __future__ import annotations

import pytest

from bdd100k_models.visualization.colours import colour_of, is_dark, opposite, shade
from bdd100k_models.zoo import classes


@pytest.mark.parametrize(
    ("category", "colour"),
    [
        ("car", (0, 0, 142)),
        ("wall", (102, 102, 156)),
        ("fence", (190, 153, 153)),
        ("pedestrian", (220, 20, 60)),
        ("direct", (219, 94, 86)),
        ("alternative", (86, 211, 219)),
    ],
)
def test_official_colours(category: str, colour: tuple[int, int, int]) -> None:
    assert colour_of(category) == colour


def test_categories_without_an_official_colour_get_a_lasting_one() -> None:
    assert colour_of("ego vehicle") == colour_of("ego vehicle") != (0, 0, 0)
    assert colour_of("zebra") != colour_of("unicorn")


def test_shades_begin_with_the_colour_and_differ() -> None:
    shades = [shade(colour_of("car"), number) for number in range(12)]
    assert shades[0] == colour_of("car")
    assert len(set(shades)) == 12
    assert all(0 <= channel <= 255 for colour in shades for channel in colour)


@pytest.mark.parametrize("category", sorted({*classes.DET, *classes.SEM_SEG, *classes.PAN_SEG}))
def test_names_can_be_read_on_their_plates(category: str) -> None:
    """Contrast ratio as WCAG 2 defines it, 3 being its least for large text."""

    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [
            channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4
            for channel in (value / 255 for value in colour)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    colour = colour_of(category)
    bright, dark = sorted((luminance(colour), luminance(opposite(colour))), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) > 3
    assert is_dark(colour) == (opposite(colour) == (255, 255, 255))
