"""`cyclecolor` with an engine Ray whose workers have decoders that can crash.

python tests/ray_driver.py translate SOURCE -o OUTPUT --engine ray --workers 2
"""

import logging
import os
import sys
from pathlib import Path

import crashing

TOO_BUSY = 75  # exit code: on a full machine, the half minute is not enough that Ray gives its processes

if __name__ == "__main__":
    os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default: on a busy machine, workers never begin
    import ray

    from cyclecolor.cli.main import main

    options = {
        "num_cpus": 2,
        "object_store_memory": 100 << 20,
        "include_dashboard": False,
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "runtime_env": {
            "worker_process_setup_hook": crashing.plug,
            "env_vars": {"PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path])},
        },
    }
    try:
        ray.init(**options)
    except Exception as error:
        print(f"Ray did not start: {error}", file=sys.stderr)
        sys.exit(TOO_BUSY)
    main()
