"""A server that will be killed: `python pool_server.py MODEL` says which processes it has, and waits."""

import asyncio
import json
import sys

from servesim.models.pool import WorkerKey, WorkerPool


async def main() -> None:
    pool = WorkerPool()
    deeds = {"idle": "echo x", "spin": "spin", "spin_in_c": "spin_in_c"}
    keys = {name: WorkerKey(sys.argv[1], environment=(("N", name),)) for name in deeds}
    for key in keys.values():
        await pool.load(key)
    body = {name: json.dumps({"inputs": [deed]}).encode() for name, deed in deeds.items()}
    calls = [pool.score(key, body[name], "application/json") for name, key in keys.items()]
    busy = asyncio.gather(*calls)
    await asyncio.wait([busy], timeout=0.2)
    sys.stdout.write(" ".join(map(str, pool.workers().values())) + "\n")
    sys.stdout.flush()
    await busy


if __name__ == "__main__":
    asyncio.run(main())
