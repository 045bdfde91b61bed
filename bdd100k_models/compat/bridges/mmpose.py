"""mmpose 0.x on numpy >= 2.5. They can go with mmpose 0.x."""

from typing import TYPE_CHECKING, Any

from bdd100k_models.compat.registry import bridge

if TYPE_CHECKING:
    import numpy as np


@bridge("mmpose.models.heads.topdown_heatmap_base_head")
def score_of_a_heat_map_is_a_number(module: Any) -> None:
    """`TopdownHeatmapBaseHead.decode`, see :func:`_decode_with_scores`."""
    _decode_with_scores(module.TopdownHeatmapBaseHead)


@bridge("mmpose.models.heads.deeppose_regression_head")
def score_of_a_regression_is_a_number(module: Any) -> None:
    """`DeepposeRegressionHead.decode`, see :func:`_decode_with_scores`."""
    _decode_with_scores(module.DeepposeRegressionHead)


def _decode_with_scores(head: Any) -> None:
    """`decode` puts an array of one element in the place of a number, which numpy 2.5 refuses.

    It is called without the scores of the boxes, which are put where it would.
    """
    decode = head.decode

    def decode_with_scores(
        self: Any, img_metas: "list[dict[str, Any]]", output: "np.ndarray", **options: Any
    ) -> "dict[str, Any]":
        import numpy as np

        scores = [np.ravel(meta.get("bbox_score", 1.0))[0] for meta in img_metas]
        without = [
            {key: value for key, value in meta.items() if key != "bbox_score"} for meta in img_metas
        ]
        result: dict[str, Any] = decode(self, without, output, **options)
        result["boxes"][:, 5] = scores
        return result

    head.decode = decode_with_scores
