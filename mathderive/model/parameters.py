"""The network's parameters as a flat dictionary of arrays by name, the form every other file works with."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from mathderive.model.config import T5Config
from mathderive.model.t5 import T5

Network = TypeVar("Network", bound=nnx.Module)

Params = dict[str, jax.Array]
"""The parameters by name, such as `encoder/blocks/0/self_attention/query`."""


def initialise(config: T5Config, seed: int) -> Params:
    """Fresh parameters, the same for the same seed on every machine."""
    model = T5(config, rng=np.random.default_rng(seed))
    return {_name(path): variable[...] for path, variable in nnx.to_flat_state(nnx.state(model))}


def parameter_shapes(config: T5Config) -> dict[str, tuple[int, ...]]:
    """The name and shape of every parameter, without making any."""
    return shapes_of(T5, config, rng=None)


def bind(config: T5Config, params: Mapping[str, Any], dtype: DTypeLike = jnp.float32, remat: bool = False) -> T5:
    """The network with these parameters; cheap, also inside a compiled function.

    Args:
        params: every name of `parameter_shapes(config)`.
        remat: see `T5`; matters to gradients only.
    """
    return with_parameters(T5, config, params, rng=None, dtype=jnp.dtype(dtype), remat=remat)


def shapes_of(network: Callable[..., nnx.Module], config: Any, **options: Any) -> dict[str, tuple[int, ...]]:
    """`parameter_shapes` of any network that is made by `network(config, **options)`."""
    _, state = _graph(network, config, **options)
    return {_name(path): variable.shape for path, variable in nnx.to_flat_state(state)}


def with_parameters(network: Callable[..., Network], config: Any, params: Mapping[str, Any], **options: Any) -> Network:
    """`bind` of any network that is made by `network(config, **options)`."""
    graph, state = _graph(network, config, **options)
    named = [(path, variable.replace(jnp.asarray(params[_name(path)]))) for path, variable in nnx.to_flat_state(state)]
    return nnx.merge(graph, nnx.from_flat_state(named))


@lru_cache(maxsize=16)
def _graph(network: Callable[..., nnx.Module], config: Any, **options: Any) -> tuple[nnx.GraphDef[Any], nnx.State]:
    return nnx.split(nnx.eval_shape(lambda: network(config, **options)))


def _name(path: tuple[Any, ...]) -> str:
    return "/".join(str(part) for part in path)
