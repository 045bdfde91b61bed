"""The images and labels of weather, read for their scenes."""

_base_ = "./weather.py"
data = dict(
    train=dict(type="BDD100KSceneTaggingDataset"),
    val=dict(type="BDD100KSceneTaggingDataset"),
    test=dict(type="BDD100KSceneTaggingDataset"),
)
