"""`python -m real_aws`: see `command`."""

import sys

from real_aws.command import main

if __name__ == "__main__":
    sys.exit(main())
