"""Heat maps and learning curves of an experiment.

`heatmaps` and `learning_curves` make the data. `png` draws them with matplotlib, the report page with Plotly.
"""
