"""The mini dataset: rendered driving scenes with labels for all seven tasks.

``scene`` describes a scene, ``rendering`` paints it, ``labels`` reads every label off the painted
scene, ``dataset`` writes the files of BDD100K's layout. numpy and OpenCV only.
"""
