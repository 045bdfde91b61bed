"""The published models: catalogue, model cards, class names, facts of each task. No torch."""
