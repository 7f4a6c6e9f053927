"""``python -m nlcore`` is ``nl``."""

from nlcore.cli import main

if __name__ == "__main__":
    main()
