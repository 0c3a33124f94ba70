"""Search: a predictor that answers with the samples of another one that the checker finds best."""

from mathderive.predictors.search.predictor import Search
from mathderive.predictors.search.question import EXHAUSTED, VERIFIED
from mathderive.predictors.search.sampler import Beginning, ContinuingSampler, SampledAnswer, Sampler

__all__ = ["EXHAUSTED", "VERIFIED", "Beginning", "ContinuingSampler", "SampledAnswer", "Sampler", "Search"]
