"""The skeleton of BDD100K pedestrians: names, mirrored pairs, weights and OKS sigmas."""

__ORANGE = [255, 128, 0]
__GREEN = [0, 255, 0]
__BLUE = [51, 153, 255]
__LEFT_LINK = [0, 0, 255]
__RIGHT_LINK = [255, 0, 0]
__KEYPOINTS = [
    # name, its mirror image, half of the body, colour, weight in the loss, sigma of OKS
    ("head", "", "upper", __ORANGE, 0.2, 0.079),
    ("neck", "", "upper", __GREEN, 0.5, 0.079),
    ("right_shoulder", "left_shoulder", "upper", __BLUE, 0.2, 0.079),
    ("right_elbow", "left_elbow", "upper", __BLUE, 1.3, 0.072),
    ("right_wrist", "left_wrist", "upper", __GREEN, 0.2, 0.062),
    ("left_shoulder", "right_shoulder", "upper", __BLUE, 0.2, 0.079),
    ("left_elbow", "right_elbow", "upper", __BLUE, 0.2, 0.072),
    ("left_wrist", "right_wrist", "upper", __BLUE, 1.5, 0.062),
    ("right_hip", "left_hip", "lower", __GREEN, 1.5, 0.107),
    ("right_knee", "left_knee", "lower", __GREEN, 0.2, 0.087),
    ("right_ankle", "left_ankle", "lower", __GREEN, 0.2, 0.089),
    ("left_hip", "right_hip", "lower", __ORANGE, 1.3, 0.107),
    ("left_knee", "right_knee", "lower", __ORANGE, 0.2, 0.087),
    ("left_ankle", "right_ankle", "lower", __ORANGE, 0.5, 0.089),
    ("right_hand", "left_hand", "upper", __GREEN, 0.2, 0.062),
    ("left_hand", "right_hand", "upper", __ORANGE, 0.2, 0.062),
    ("right_foot", "left_foot", "lower", __GREEN, 0.2, 0.062),
    ("left_foot", "right_foot", "lower", __ORANGE, 0.2, 0.062),
]
__LINKS = [
    ("head", "neck", __GREEN),
    ("neck", "left_shoulder", __GREEN),
    ("neck", "right_shoulder", __GREEN),
    ("neck", "left_hip", __GREEN),
    ("neck", "right_hip", __GREEN),
    ("left_shoulder", "left_elbow", __LEFT_LINK),
    ("right_shoulder", "right_elbow", __RIGHT_LINK),
    ("left_elbow", "left_wrist", __LEFT_LINK),
    ("right_elbow", "right_wrist", __RIGHT_LINK),
    ("left_hip", "left_knee", __LEFT_LINK),
    ("right_hip", "right_knee", __RIGHT_LINK),
    ("left_knee", "left_ankle", __LEFT_LINK),
    ("right_knee", "right_ankle", __RIGHT_LINK),
    ("right_hand", "right_wrist", __RIGHT_LINK),
    ("left_hand", "left_wrist", __LEFT_LINK),
    ("right_foot", "right_ankle", __RIGHT_LINK),
    ("left_foot", "left_ankle", __LEFT_LINK),
]

dataset_info = dict(
    dataset_name="bdd100k",
    paper_info=dict(
        author="BDD100K",
        title="BDD100K: A Diverse Driving Dataset for Heterogeneous Multitask Learning",
        container="CVPR",
        year="2020",
        homepage="https://bdd100k.com/",
    ),
    keypoint_info={
        index: dict(id=index, name=name, swap=swap, type=half, color=color)
        for index, (name, swap, half, color, _, _) in enumerate(__KEYPOINTS)
    },
    skeleton_info={
        index: dict(id=index, link=[start, end], color=color)
        for index, (start, end, color) in enumerate(__LINKS)
    },
    joint_weights=[weight for *_, weight, _ in __KEYPOINTS],
    sigmas=[sigma for *_, sigma in __KEYPOINTS],
)
