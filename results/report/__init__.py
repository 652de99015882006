"""The report page of an experiment as one HTML file.

It needs neither a network nor a server. Each section is a NamedTuple made from rows; page.html and its scripts draw it.
"""
