"""The network's parameters as a flat dictionary of arrays by name; all other modules use this form."""

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
"""Parameters by name, such as `encoder/blocks/0/self_attention/query`."""


def initialise(config: T5Config, seed: int) -> Params:
    """Draws fresh parameters, the same for the same seed on every machine."""
    model = T5(config, rng=np.random.default_rng(seed))
    return {_name(path): variable[...] for path, variable in nnx.to_flat_state(nnx.state(model))}


def parameter_shapes(config: T5Config) -> dict[str, tuple[int, ...]]:
    """The name and shape of every parameter of a T5; no array is made."""
    return network_shapes(T5, config, rng=None)


def bind(config: T5Config, params: Mapping[str, Any], dtype: DTypeLike = jnp.float32, remat: bool = False) -> T5:
    """The T5 with these parameters. This is cheap, also inside a compiled function.

    Args:
        params: an array for every name in `parameter_shapes(config)`.
        dtype: the type of matrix products.
        remat: see `T5`; it only matters for gradients.
    """
    return with_parameters(T5, config, params, rng=None, dtype=jnp.dtype(dtype), remat=remat)


def network_shapes(network: Callable[..., nnx.Module], config: Any, **options: Any) -> dict[str, tuple[int, ...]]:
    """The name and shape of every parameter of the network that `network(config, **options)` makes."""
    _, state = _graph(network, config, **options)
    return {_name(path): variable.shape for path, variable in nnx.to_flat_state(state)}


def with_parameters(network: Callable[..., Network], config: Any, params: Mapping[str, Any], **options: Any) -> Network:
    """The network that `network(config, **options)` makes, with these parameters."""
    graph, state = _graph(network, config, **options)
    named = [(path, variable.replace(jnp.asarray(params[_name(path)]))) for path, variable in nnx.to_flat_state(state)]
    return nnx.merge(graph, nnx.from_flat_state(named))


@lru_cache(maxsize=16)
def _graph(network: Callable[..., nnx.Module], config: Any, **options: Any) -> tuple[nnx.GraphDef[Any], nnx.State]:
    return nnx.split(nnx.eval_shape(lambda: network(config, **options)))


def _name(path: tuple[Any, ...]) -> str:
    return "/".join(str(part) for part in path)
