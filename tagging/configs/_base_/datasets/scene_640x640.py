_base_ = "./weather_640x640.py"
data = dict(
    train=dict(type="BDD100KSceneTaggingDataset"),
    val=dict(type="BDD100KSceneTaggingDataset"),
    test=dict(type="BDD100KSceneTaggingDataset"),
)
