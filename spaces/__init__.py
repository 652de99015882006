"""Spaces: YAML files of recipes with searched values; see space.load_space."""
