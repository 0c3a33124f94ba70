"""TFDS builders: `derivations` are generated here, `released` are the examples that the authors published."""
