"""Speed of a search, compared with a notebook loop and with plain Ray Tune."""
