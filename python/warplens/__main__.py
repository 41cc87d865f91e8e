"""The command `warplens` as `python -m warplens`."""

from warplens_command import main

if __name__ == "__main__":
    main()
