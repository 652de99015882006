"""What to search: a space is a recipe with holes; see space.load."""
