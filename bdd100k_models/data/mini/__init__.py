"""The mini dataset: rendered driving scenes and short videos with labels for every task.

``scene`` describes a scene, ``video`` one that moves, ``rendering`` paints it, ``labels`` reads
every label off the painted scene, ``dataset`` writes the files of BDD100K's layout. numpy and
OpenCV only.
"""
