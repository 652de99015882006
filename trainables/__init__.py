"""How to train: data, models, methods and the loop that makes students of them; knows nothing of Ray."""
