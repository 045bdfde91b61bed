_base_ = "./size_256x192.py"

data_cfg = dict(image_size=[256, 320], heatmap_size=[64, 80])
