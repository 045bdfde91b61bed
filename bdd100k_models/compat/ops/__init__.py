"""mmcv's compiled operators as functions of torch and torchvision.

The functions have the names and signatures that mmcv's Python wrappers call: they write into output
tensors that the wrapper has allocated, and return nothing, or indices.
"""
