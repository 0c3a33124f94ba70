"""Reproducibility kit for *Generating Mathematical Derivations with Large Language Models*."""
