"""Files of weights, initial weights of networks, published weights."""
