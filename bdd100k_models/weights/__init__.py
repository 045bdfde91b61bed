"""Weights: found, fetched, read safely, fitted to a network, published."""
