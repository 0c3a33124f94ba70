"""Writes a dataset for other people's tools: JSON lines or Parquet, with a card, Croissant metadata and checksums."""
