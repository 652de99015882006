"""Training of one student: data, models, methods and the training loop.

This package imports no Ray; search/ runs it in Ray trials.
"""
