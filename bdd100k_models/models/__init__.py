"""Architectures that no dependency has."""
