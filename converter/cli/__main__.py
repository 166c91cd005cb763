"""`python -m converter.cli`."""

from converter.cli import main

if __name__ == "__main__":  # Worker processes import this module too.
    main()
