"""Models that answer prompts; importing the package registers the built-in kinds."""

import mathderive.predictors.kinds  # noqa: F401
