"""Distributes the tests over the processes of `pytest -n`, so that no process repeats what another has made."""

from xdist.scheduler.loadscope import LoadScopeScheduling

BY_CASE = (
    "tests/explorer/test_every_model.py",
    "tests/inference/test_explain.py",
    "tests/inference/test_similar.py",
    "tests/models/test_contract.py",
    "tests/models/test_declarations.py",
    "tests/models/test_presets.py",
    "tests/models/test_training.py",
    "tests/saved_model/test_without_kerasrec.py",
    "tests/serving/test_every_model.py",
)


def group_of(nodeid: str) -> str:
    """The tests that run in one process: those of a file, or those of a case of the contract tests.

    Fixtures of a module, trained models and processes for another backend are then made once.

    Example:
        >>> group_of("tests/test_losses.py::test_logistic")
        'tests/test_losses.py'
        >>> group_of("tests/models/test_contract.py::test_resumes[float16-mult_vae deep]")
        'case mult_vae deep'
    """
    path, _, test = nodeid.partition("::")
    if path in BY_CASE and "[" in test:
        return "case " + test.partition("[")[2].rstrip("]").rpartition("-")[2]
    return path


class GroupScheduling(LoadScopeScheduling):
    """Gives each idle process the next group of tests, in the order of `order_for_processes`."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


ONE_CASE_OF_MODEL = (
    "tests/explorer/test_every_model.py",
    "tests/models/test_backends.py",
    "tests/models/test_contract.py::test_jit_compile",
    "tests/models/test_distribution.py",
    "tests/models/test_presets.py",
    "tests/models/test_training.py",
    "tests/saved_model/test_without_kerasrec.py",
    "tests/serving/test_every_model.py",
)
"""Tests that start a process, a browser, a device, a compiler or several trainings for each case.

Cases that compute scores as another one are `long` in them.
"""


def mark_cases(items: list) -> None:
    """Marks the tests of a model's second and further cases as slow: the fast check runs one case of each model."""
    from kerasrec_testing.models import CASES, FIRST_OF_MODEL, is_further

    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")
        if isinstance(case, str) and case in CASES:
            if case not in FIRST_OF_MODEL:
                item.add_marker("slow")
            if item.nodeid.startswith(ONE_CASE_OF_MODEL) and is_further(case):
                item.add_marker("long")


def order_for_processes(items: list) -> None:
    """Sorts tests so that the processes end at about the same time: files with slow tests first, short groups last."""
    slow = {group_of(item.nodeid) for item in items if item.get_closest_marker("slow")}

    def rank(item) -> int:
        group = group_of(item.nodeid)
        return 2 if group.startswith("case ") else group not in slow

    items.sort(key=rank)
