checkpoint_file = "https://download.openmmlab.com/mmclassification/v0/convnext/downstream/convnext-tiny_3rdparty_32xb128-noema_in1k_20220301-795e9634.pth"
# In place of a base's backbone.
convnext_t = dict(
    _delete_=True,
    type="mmcls.ConvNeXt",
    arch="tiny",
    out_indices=[0, 1, 2, 3],
    drop_path_rate=0.4,
    layer_scale_init_value=1.0,
    gap_before_final_norm=False,
    init_cfg=dict(type="Pretrained", checkpoint=checkpoint_file, prefix="backbone."),
)
