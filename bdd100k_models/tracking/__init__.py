"""From the boxes of frames to identities over a video. numpy alone; usable with any detector.

A tracker has ``reset()``, before each video, and ``update(frame_index, boxes, labels,
embeddings)``, for its frames in order.
"""
