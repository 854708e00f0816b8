"""``python -m carboy`` serves: see `carboy.serving`."""

import sys

from carboy.serving import main

# Workers import it too, under another name.
if __name__ == "__main__":
    sys.exit(main())
