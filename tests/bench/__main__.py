"""`python -m tests.bench [--quick] [subject …]`: every figure beside its yardstick of the run."""

import argparse
from collections.abc import Callable

from tests.bench import api, growth, ledger, packets, pages, profile, shop
from tests.bench.cluster import Bench, bench
from tests.bench.report import Row, table

SUBJECTS: dict[str, Callable[[Bench, bool], list[Row]]] = {
    "ledger": ledger.run,
    "growth": growth.run,
    "packets": packets.run,
    "pages": pages.run,
    "shop": shop.run,
    "api": api.run,
    "profile": profile.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="benchmarks, as ratios")
    parser.add_argument("--quick", action="store_true", help="short and rough")
    parser.add_argument("subjects", nargs="*", help=", ".join(SUBJECTS))
    arguments = parser.parse_args()
    for name in arguments.subjects or SUBJECTS:
        with bench() as cluster:
            rows = SUBJECTS[name](cluster, arguments.quick)
        print(f"\n{name}\n{table(rows)}", flush=True)  # noqa: T201 — the report


if __name__ == "__main__":
    main()
