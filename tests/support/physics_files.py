"""Made-up derivations in physics, in the form of the authors' file."""

import json
from pathlib import Path

ROWS: tuple[dict[str, object], ...] = (
    {
        "name": "Constant acceleration",
        "field": "Mechanics",
        "premises": ["F = m a", "a = \\frac{d v}{d t}"],
        "derivation": "F = m a and a = \\frac{d v}{d t} and F = m \\frac{d v}{d t}",
        "prompt": "Given F = m a and a = \\frac{d v}{d t}, then obtain F = m \\frac{d v}{d t}",
    },
    {
        "name": "Kinetic energy of a body at rest",
        "field": "Mechanics",
        "premises": ["T = \\frac{m v^{2}}{2}", "v = 0"],
        "derivation": "T = \\frac{m v^{2}}{2} and T = 0 and v = 0",
        "prompt": "Given T = \\frac{m v^{2}}{2} and v = 0, then obtain %PREM v = 0",
    },
    {
        "name": "Charge of a density",
        "field": "Electricity & <magnetism>",
        "premises": ["\\nabla \\cdot \\mathbf{D} = \\rho", "\\mathbf{D} = \\varepsilon \\mathbf{E}"],
        "derivation": (
            "\\nabla \\cdot \\mathbf{D} = \\rho and \\mathbf{D} = \\varepsilon \\mathbf{E} and "
            "\\nabla \\cdot (\\varepsilon \\mathbf{E}) = \\rho"
        ),
        "prompt": (
            "Given \\nabla \\cdot \\mathbf{D} = \\rho and \\mathbf{D} = \\varepsilon \\mathbf{E}, then obtain "
            "\\nabla \\cdot (\\varepsilon \\mathbf{E}) = \\rho"
        ),
    },
)
"""Three derivations in two fields; the second goal has the mark that goals of the authors' file have."""


def physics_file(folder: Path, **changes: object) -> Path:
    """Writes a file of the derivations; `changes` replace keys of the second one, and None removes a key."""
    second = {key: value for key, value in {**ROWS[1], **changes}.items() if value is not None}
    path = folder / "derivations.json"
    path.write_text(json.dumps([ROWS[0], second, ROWS[2]]), encoding="utf-8")
    return path
