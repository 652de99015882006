"""How fast a search is, measured against the notebook loop and against plain Ray Tune."""
