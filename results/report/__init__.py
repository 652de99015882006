"""The report page of an experiment: one HTML file that needs neither network nor server.

Each section is data first, a NamedTuple made from rows, and drawn second, by page.html and the scripts beside it.
"""
