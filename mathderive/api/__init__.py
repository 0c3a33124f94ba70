"""The functions and classes that `import mathderive` offers; docs/api.md shows each of them."""
