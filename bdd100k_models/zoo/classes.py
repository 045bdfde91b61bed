"""Class order, keypoints and skeleton that the published weights were trained with.

Annotation files list categories in other orders; map them by name, never by position.
"""

#: Tagging, attribute ``weather``.
WEATHER: tuple[str, ...] = (
    "rainy",
    "snowy",
    "clear",
    "overcast",
    "undefined",
    "partly cloudy",
    "foggy",
)

#: Tagging, attribute ``scene``.
SCENE: tuple[str, ...] = (
    "tunnel",
    "residential",
    "parking lot",
    "undefined",
    "city street",
    "gas stations",
    "highway",
)

#: Object detection.
DET: tuple[str, ...] = (
    "pedestrian",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
    "traffic light",
    "traffic sign",
)

#: Instance segmentation.
INS_SEG: tuple[str, ...] = (
    "pedestrian",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)

#: Tracking of boxes and of masks.
TRACKED: tuple[str, ...] = INS_SEG

#: Semantic segmentation.
SEM_SEG: tuple[str, ...] = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)

#: Drivable area; the official evaluator ignores ``background``.
DRIVABLE: tuple[str, ...] = (
    "direct",
    "alternative",
    "background",
)

#: Panoptic segmentation: class indices 0-9, countable objects.
PAN_SEG_THINGS: tuple[str, ...] = (
    "person",
    "rider",
    "bicycle",
    "bus",
    "car",
    "caravan",
    "motorcycle",
    "trailer",
    "train",
    "truck",
)

#: Panoptic segmentation: class indices 10-39, regions.
PAN_SEG_STUFF: tuple[str, ...] = (
    "dynamic",
    "ego vehicle",
    "ground",
    "static",
    "parking",
    "rail track",
    "road",
    "sidewalk",
    "bridge",
    "building",
    "fence",
    "garage",
    "guard rail",
    "tunnel",
    "wall",
    "banner",
    "billboard",
    "lane divider",
    "parking sign",
    "pole",
    "polegroup",
    "street light",
    "traffic cone",
    "traffic device",
    "traffic light",
    "traffic sign",
    "traffic sign frame",
    "terrain",
    "vegetation",
    "sky",
)

PAN_SEG: tuple[str, ...] = PAN_SEG_THINGS + PAN_SEG_STUFF

#: The one category of pose estimation.
POSE_CATEGORY = "pedestrian"

#: The 18 keypoints of a pedestrian, in the order of the heat maps.
POSE_KEYPOINTS: tuple[str, ...] = (
    "head",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_hand",
    "left_hand",
    "right_foot",
    "left_foot",
)

#: Skeleton: (from, to, type) by keypoint index; the type names the side of the body.
POSE_EDGES: tuple[tuple[int, int, str], ...] = (
    (0, 1, "body"),
    (1, 2, "body"),
    (1, 5, "body"),
    (1, 8, "body"),
    (1, 11, "body"),
    (2, 3, "right_side"),
    (3, 4, "right_side"),
    (4, 14, "right_side"),
    (5, 6, "left_side"),
    (6, 7, "left_side"),
    (7, 15, "left_side"),
    (8, 9, "right_side"),
    (9, 10, "right_side"),
    (10, 16, "right_side"),
    (11, 12, "left_side"),
    (12, 13, "left_side"),
    (13, 17, "left_side"),
)

#: ``type`` of the Scalabel graph of a predicted pose.
POSE_GRAPH_TYPE = "Pose2D-18Joints_Pred"
