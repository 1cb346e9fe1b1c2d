"""Minutes of mixed load with faults. Not among the default parts: `run.py soak --minutes 10`, best with the sanitizer build."""
from faults import soak as run  # noqa: F401
