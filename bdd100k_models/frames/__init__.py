"""Arrays to Scalabel frames: pure functions on numpy arrays, without torch and mm*.

A *frame* is a plain dict that serialises to Scalabel JSON. Label ``id``\\ s that count over the
data set are given when shards are merged, not here.
"""

from typing import Any

#: A Scalabel label or frame as plain data: dicts, lists, ``str``, ``int``, ``float``.
Label = dict[str, Any]
Frame = dict[str, Any]
