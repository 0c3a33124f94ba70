"""Reads LaTeX as textbooks and models write it: the notations that the data's own grammar lacks."""
