"""Weights in files: safetensors and checkpoints, initial weights of networks, and torchvision's published weights."""
