"""Running models: ranks, loaders, precision, the inference loop, training."""
