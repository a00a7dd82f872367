"""``python -m hpsearch``."""

from hpsearch.cli.main import main

if __name__ == '__main__':
    raise SystemExit(main())
