"""``python -m destination``."""

from destination.cli import main

if __name__ == "__main__":
    main()
