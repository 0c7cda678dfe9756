"""`python -m vestigo` is the command `vestigo`."""

import sys

from vestigo.cli import main

if __name__ == "__main__":
    sys.exit(main())
