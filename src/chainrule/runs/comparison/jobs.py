"""Jobs: trainings that are carried out together, one job after another or side by side through joblib."""

import queue
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import joblib

from chainrule.errors import ArgumentError, ChainruleError
from chainrule.runs.comparison.contest import Contest, Entry
from chainrule.runs.comparison.trial import Trial
from chainrule.training.interrupt import Interrupt
from chainrule.training.observers import Callback

Job = list[Entry]

ATTEMPTS = 3  # of jobs whose workers die, without any other job done between
LOOK = 0.1  # seconds between two looks at the keyboard
THREADS = 2  # at the most
TURN = 0.001  # seconds of Python while another thread waits, whose core may be idle; 0.005 is Python's own

DASK = "needs the dask and distributed packages. Install them: pip install 'chainrule[dask]'"


def done(
    contest: Contest,
    jobs: Sequence[Job],
    ctrl_c: Interrupt,
    backend: dict[str, Any] | None,
    callbacks: Sequence[Callback],
    threads: int = 1,
) -> Iterator[list[Trial]]:
    """The trials of each job as they come: from this thread, from threads of this process, or from joblib's workers."""
    with _silence():
        if backend is not None:
            yield from _side_by_side(contest, jobs, ctrl_c, backend)
        elif threads > 1:
            yield from _in_threads(contest, jobs, ctrl_c, threads)
        else:
            for job in jobs:
                ctrl_c.check()
                yield contest.trials(job, callbacks)


def _in_threads(contest: Contest, jobs: Sequence[Job], ctrl_c: Interrupt, count: int) -> Iterator[list[Trial]]:
    """The trials of each job as they come; whatever ends them, nothing computes any more behind it."""
    with _short_turns(), ThreadPoolExecutor(count) as threads:
        left = {threads.submit(contest.trials, job) for job in jobs}
        try:
            while left:
                ended, left = wait(left, LOOK, FIRST_COMPLETED)
                for each in ended:
                    yield each.result()
                ctrl_c.check()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _short_turns() -> Iterator[None]:
    """Python's threads, all of the process, take turns more often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(TURN, before))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _side_by_side(
    contest: Contest, jobs: Sequence[Job], ctrl_c: Interrupt, backend: dict[str, Any]
) -> Iterator[list[Trial]]:
    """The trials of each job as they come, from joblib's workers; the jobs of one that dies are given out again.

    Ctrl-C leaves what the workers are at.

    Raises:
        ChainruleError: where workers die again and again.
    """
    left, attempts = dict(enumerate(jobs)), ATTEMPTS
    while left:
        results = queue.SimpleQueue[Any]()
        threading.Thread(target=_collect, args=[contest, dict(left), backend, results], daemon=True).start()
        while left:
            try:
                found = results.get(timeout=LOOK)
            except queue.Empty:
                ctrl_c.check()
                continue
            if isinstance(found, BrokenExecutor) or type(found).__name__ == "KilledWorker":
                attempts -= 1
                if not attempts:
                    raise ArgumentError(
                        "Workers died {} times in a row, perhaps for want of memory. Choose fewer {jobs}.", ATTEMPTS
                    ) from found
                break
            if isinstance(found, BaseException):
                raise found
            number, trials = found
            del left[number]
            attempts = ATTEMPTS
            yield trials


def _collect(contest: Contest, jobs: dict[int, Job], backend: dict[str, Any], results: Any) -> None:
    """Put what joblib's workers make of jobs into a queue, or the error that ends them all."""
    try:
        with joblib.parallel_config(**backend):
            parallel = joblib.Parallel(return_as="generator_unordered")
            for found in parallel(joblib.delayed(_numbered)(contest, *job) for job in jobs.items()):
                results.put(found)
    except BaseException as error:
        results.put(error)


def _numbered(contest: Contest, number: int, job: Job) -> tuple[int, list[Trial]]:
    with _silence():
        return number, contest.trials(job)


def _silence() -> AbstractContextManager:
    """No warnings: what there is to warn of was said before the first job. It holds for all threads of a process."""
    return warnings.catch_warnings(action="ignore")


@contextmanager
def workers(contest: Contest, count: int, on: str | None, address: str | None) -> Iterator[dict[str, Any] | None]:
    """How joblib reaches the workers: processes of this machine, or those of a Dask cluster; None for no workers.

    Two on this machine are threads of this process, which begins and compiles once for both; more would wait for each
    other, as Python runs in one thread at a time.

    Raises:
        ChainruleError: where there is no cluster, or the package is missing.
    """
    if on is None:
        yield None if count <= THREADS else {"backend": "loky", "n_jobs": count}
        return
    try:
        from distributed import Client  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        raise ChainruleError(f"A comparison on Dask {DASK}") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ArgumentError("{address}: no scheduler of Dask answers at {}: {}.", address, error) from None
    with client:
        yield {"backend": "dask", "client": client, "scatter": [contest], "n_jobs": -1}
