"""mmcv's compiled operators as functions of torch and torchvision.

`roi_align`, `deform_conv` and `nms` have the signatures of mmcv's Python functions, in whose place
they stand. The others have those of the compiled functions that mmcv's Python wrappers call: they
write into output tensors that the wrapper has allocated, and return nothing, or indices.
"""
