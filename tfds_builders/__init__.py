"""TFDS builders: `derivations`, which we generate, and `released`, which the authors published."""
