"""`python -m local_aws.route53 --port N --zone example.com`: the fake alone, until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import threading

from local_aws.route53.fake import Route53Fake
from local_aws.route53.limits import Limits
from local_aws.route53.server import Route53Server


def main() -> None:
    """Print the endpoint and the zones' ids, and serve."""
    parser = argparse.ArgumentParser(prog="python -m local_aws.route53", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one if not given")
    parser.add_argument("--zone", action="append", default=[], help="a hosted zone to begin with; can be repeated")
    parser.add_argument("--no-limits", action="store_true", help="no request rate")
    parser.add_argument(
        "--in-flight", type=float, default=0.0, metavar="SECONDS", help="how long a change takes a zone"
    )
    options = parser.parse_args()
    fake = Route53Fake(limits=Limits.none() if options.no_limits else None, in_flight_seconds=options.in_flight)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Route53Server(fake, port=options.port) as server:
        print(server.url, flush=True)
        for name in options.zone:
            print(fake.add_zone(name), name, flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
