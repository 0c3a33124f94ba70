"""Hostile clients of a server, for `hostile_connections.py`."""
