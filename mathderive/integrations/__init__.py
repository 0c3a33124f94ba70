"""The checker in kits that train and evaluate language models; docs/verifiers.md shows each of them.

No module here needs its kit to be installed before the module is imported.
"""
