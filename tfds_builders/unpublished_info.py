"""The description of a dataset that TFDS does not publish."""

from typing import Any

import tensorflow_datasets as tfds


class UnpublishedInfo(tfds.core.DatasetInfo):
    """Facts about a dataset that nobody published, with the texts beside its builder."""

    def __init__(self, builder: tfds.core.DatasetBuilder, **facts: Any) -> None:
        """Takes the facts that `DatasetInfo` takes, without the description and the citation."""
        texts = builder.get_metadata()
        super().__init__(builder=builder, description=texts.description, citation=texts.citation, **facts)

    def initialize_from_bucket(self) -> None:
        """Does nothing: TFDS would make a temporary folder for what it finds in its bucket, and leave it there."""
