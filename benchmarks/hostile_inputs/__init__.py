"""Hostile inputs by kind: each module of this package makes the inputs of one kind for `attacks_on_inputs.py`."""
