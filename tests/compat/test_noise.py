"""What is silenced, and that nothing else is."""

import logging
import warnings

import pytest

from bdd100k_models.compat.noise import silence


def test_useless_warning_is_silenced():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        silence()
        warnings.warn("Default ``avg_non_ignore`` is False, if you would like", stacklevel=1)
    assert caught == []


def test_other_warnings_pass():
    with warnings.catch_warnings(), pytest.warns(UserWarning, match="something else"):
        silence()
        warnings.warn("something else", stacklevel=1)


def test_toolkit_without_gpu_is_not_reported(caplog):
    logger = logging.getLogger("torch.utils.cpp_extension")
    logger.propagate = True
    silence()
    with caplog.at_level(logging.WARNING):
        logger.warning("No CUDA runtime is found, using CUDA_HOME='%s'", "/usr/local")
        logger.warning("another message")
    assert [record.getMessage() for record in caplog.records] == ["another message"]
