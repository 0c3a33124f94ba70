"""`python -m mathderive` is `mathderive`."""

import sys

from mathderive.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
