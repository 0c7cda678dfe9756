"""`python -m vestigo.cli`, for where the script is not on the path."""

import sys

from vestigo.cli import main

sys.exit(main())
