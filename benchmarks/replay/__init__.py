"""Replay of searches on tables of finished trainings."""
