"""A process that spends from a ledger: ADDRESS CAP TIMES NANOS. It tells how often it could reserve; HANG as a fifth word
leaves the first reservation open and waits to be killed."""

from __future__ import annotations

import sys
import time

from selfheal_ci.memory.sql import Account, open_database, read_address
from selfheal_ci.values import Reserved


def main(address: str, cap: str, times: str, nanos: str, *more: str) -> None:
    warned: list[str] = []
    database = open_database(read_address(address), redact=str, warn=warned.append)
    account = Account(database, int(cap))
    reserved = 0
    for _ in range(int(times)):
        held = account.reserve(int(nanos))
        if isinstance(held, Reserved):
            reserved += 1
            if "HANG" in more:
                print("reserved", flush=True)
                time.sleep(600)
            account.settle(held, int(nanos) // 2)
    assert not warned, warned
    print(reserved, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
