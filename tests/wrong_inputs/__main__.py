"""`python -m tests.wrong_inputs OUT.json`: this backend's verdicts, to compare with another's."""

import argparse
import json
from pathlib import Path

from .verdicts import verdicts


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.wrong_inputs", description=__doc__)
    parser.add_argument("out", type=Path, help="the JSON file to write")
    parser.parse_args().out.write_text(json.dumps(verdicts(), indent=1))


if __name__ == "__main__":
    main()
