"""Each library as its own documentation recommends for speed.

A module has `trainer(task)`, an epoch of training that returns its mean cost, and `predictor(task)`, from rows to the
network's outputs. All begin at the same parameters, and all visit the rows of the first epoch in the same order.
"""
