"""TFDS builders: `derivations` are generated here, `released` are the examples that the authors published, and
`physics` are derivations that people wrote.
"""
