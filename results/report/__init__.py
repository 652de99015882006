"""The report page of an experiment: one HTML file, readable without a network or a server.

Each section is a NamedTuple made from rows; page.html and the scripts beside it draw it.
"""
