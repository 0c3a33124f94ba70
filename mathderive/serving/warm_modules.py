"""Loads everything that a child process of the server needs; see `children`, the only one that loads this module."""

import gc

from mathderive.checker.checker import check
from mathderive.serving.check_processes import SAMPLE
from mathderive.serving.typesetting import ToTypeset, typeset_all

# Work on a sample fills the caches of the parser and the checker, and loads what they import when first needed.
check(SAMPLE.prompt, SAMPLE.output)
typeset_all(ToTypeset(equations=SAMPLE.output.split(" and ")))

gc.collect()
gc.freeze()  # a fork would otherwise copy the pages of all objects, as its garbage collector looks at them
