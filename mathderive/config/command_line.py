"""Settings that come from the command line alone: they are no keys of a config, and results do not depend on them."""

from pydantic import Field

from mathderive.config.schema import Settings


class BeamSettings(Settings):
    """Settings of Apache Beam for the data stage; they come from the command line and do not influence the contents."""

    options: str = ""
    """Options in the form of a Beam pipeline's command line."""
    folder: str | None = None
    """A folder that all of Beam's workers can write, such as `gs://bucket/folder`; null is the run folder."""


class ProcessSettings(Settings):
    """This process's place among several that train one model; it comes from the command line and is in no stamp."""

    coordinator: str
    """HOST:PORT at which process 0 listens and the others find it."""
    count: int = Field(ge=1)
    index: int = Field(ge=0)
