"""What stands before all tests: the environment that backends start in."""

import os

# Read when XLA starts, so set before a test module imports a backend. The numbers are the same to
# rounding, and a case compiles in an eighth of the time. The parity command, which CI runs by
# itself, compiles as users do.
os.environ.setdefault(
    "XLA_FLAGS",
    " ".join(
        [
            "--xla_backend_optimization_level=0",
            "--xla_llvm_disable_expensive_passes=true",
            "--xla_cpu_use_fusion_emitters=false",
            "--xla_cpu_parallel_codegen_split_count=1",
        ]
    ),
)

# For arrays this small, handing work to other threads costs more than the work: in this process,
# and in those that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config):
    """Only where tests are run: the process that hands them to others needs no backend.

    They start when it is through, and importing a backend takes ten seconds.
    """
    hands_out = config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")
    if not hands_out:
        config.pluginmanager.import_plugin("tests.fixtures")
