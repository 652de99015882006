"""Experiment folders at a URI, such as s3://bucket/run.

A search keeps its folder on this machine and mirrors it to the URI (search/mirror/). The commands of results read a
copy of it (`experiment_copy`).

Modules: `uri` (places on this machine), `folder` (the files at a URI), `experiment_copy` (copies for reading).
"""
