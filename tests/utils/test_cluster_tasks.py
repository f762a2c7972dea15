"""Tasks on two nodes: their results, their errors, and what happens when workers die."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import pairwise
from types import SimpleNamespace

import pytest
import ray_nodes as remote
from encoding import Told

from yocto.errors import ClusterError, DataError
from yocto.utils import cluster_tasks
from yocto.utils.cluster import Cluster, connected
from yocto.utils.cluster_tasks import TRIES, ClusterTasks


@pytest.fixture(scope="module")
def cluster(ray_nodes):
    with connected(ray_nodes.address, None, Told()) as found:
        yield found


def test_every_future_has_its_own_result(cluster):
    with ClusterTasks(cluster, Told()) as tasks:
        futures = [tasks.submit(remote.plus_one, n) for n in range(30)]
        assert [future.result(30) for future in reversed(futures)] == list(range(30, 0, -1))


def test_an_error_is_that_of_the_function_and_is_not_tried_again(cluster):
    told = Told()
    with ClusterTasks(cluster, told) as tasks:
        own = tasks.submit(remote.fail, DataError("what", "a hint"))
        other = tasks.submit(remote.fail, KeyError("x"))
        good = tasks.submit(remote.plus_one, 1)
        with pytest.raises(DataError) as caught:
            own.result(30)
        assert type(caught.value) is DataError
        assert (caught.value.message, caught.value.hint) == ("what", "a hint")
        with pytest.raises(KeyError):
            other.result(30)
        assert good.result(30) == 2
    assert told.lines == []


def test_a_task_whose_worker_is_killed_is_done_again_and_that_is_told(cluster, tmp_path):
    told = Told()
    with ClusterTasks(cluster, told) as tasks:
        futures = [tasks.submit(remote.die_until, str(tmp_path), n, n % 3) for n in range(6)]
        assert [future.result(60) for future in futures] == list(range(6))
    lost = [line for line in told.lines if "lost with a worker or a node" in line]
    assert lost
    assert "(WorkerCrashedError)" in lost[0]


_LOSES_A_WORKER = """
import sys, time
import ray_nodes as remote
from encoding import Told
from yocto.utils.cluster import connected
from yocto.utils.cluster_tasks import ClusterTasks

address, folder = sys.argv[1:]
with connected(address, None, Told()) as cluster, ClusterTasks(cluster, Told()) as tasks:
    print(tasks.submit(remote.die_until, folder, 7, 1).result(60))
    time.sleep(2)  # what Ray has to say comes later
"""


@pytest.mark.parametrize("own", [{}, {"RAY_DEDUP_LOGS": "0"}])
def test_of_a_lost_worker_ray_says_nothing_on_standard_output(own, ray_nodes, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _LOSES_A_WORKER, ray_nodes.address, str(tmp_path)],
        capture_output=True, text=True, timeout=100, env={**os.environ, **own},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_a_task_that_is_lost_every_time_is_an_error_and_others_go_on(cluster, tmp_path):
    with ClusterTasks(cluster, Told()) as tasks:
        bad = tasks.submit(remote.die_until, str(tmp_path), 1, 100)
        good = tasks.submit(remote.plus_one, 1)
        with pytest.raises(ClusterError, match=f"a task was lost {TRIES} times: "):
            bad.result(60)
        assert good.result(60) == 2
    assert len(list(tmp_path.iterdir())) == TRIES


def test_with_one_worker_one_task_runs_at_a_time(cluster, tmp_path):
    with ClusterTasks(Cluster(1, 2), Told()) as tasks:
        futures = [tasks.submit(remote.wait_for, str(tmp_path), n) for n in range(4)]
        assert [future.result(30) for future in futures] == [0, 1, 2, 3]
    began = sorted(float(path.read_text()) for path in tmp_path.iterdir())
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(began))


def test_a_shared_value_is_made_once_in_each_worker(cluster):
    with ClusterTasks(cluster, Told()) as tasks:
        shared = cluster.share("key", remote.upper, "text")
        made = {tasks.submit(remote.made_of, shared).result(30) for _ in range(6)}
        assert len(made) == len({pid for pid, _ in made})
        other = cluster.share("other", remote.upper, "another")
        assert tasks.submit(remote.made_of, other).result(30)[1].startswith("ANOTHER ")


def test_the_end_of_the_context_gives_up_what_is_not_done(cluster, tmp_path):
    with ClusterTasks(cluster, Told()) as tasks:
        for n in range(100):
            tasks.submit(remote.wait_for, str(tmp_path), n)
    assert len(list(tmp_path.iterdir())) < 20


def test_where_every_node_is_gone_each_future_says_so(cluster, monkeypatch):
    monkeypatch.setattr(cluster_tasks, "PATIENCE", 0.3)
    monkeypatch.setattr(ClusterTasks, "_is_deserted", lambda self: True)
    with ClusterTasks(cluster, Told()) as tasks:
        waiting = tasks.submit(remote.sleep, 30)
        with pytest.raises(ClusterError, match="no node of the cluster is left") as caught:
            waiting.result(20)
        assert "ray start" in caught.value.hint
        with pytest.raises(ClusterError, match="no node of the cluster is left"):
            tasks.submit(remote.plus_one, 1).result(1)


# ------------------------------------------------------- a connection that breaks, of a stand-in


class StandIn:
    """Of ray what the tasks use; a task is done when it is asked for. remote, get: what happens
    instead, called with how many were before."""

    exceptions = SimpleNamespace(
        RayError=type("RayError", (Exception,), {}),
        RayTaskError=type("RayTaskError", (Exception,), {}),
    )

    def __init__(self, started=lambda before: None, fetched=lambda before: None):
        self.started, self.fetched = started, fetched
        self.starts = self.fetches = 0
        self.calls = {}

    def remote(self, **options):
        return lambda function: SimpleNamespace(remote=self.start)

    def start(self, version, python, function, arguments):
        before, self.starts = self.starts, self.starts + 1
        self.started(before)
        self.calls[before] = (function, arguments)
        return before

    def wait(self, refs, num_returns, timeout):
        return refs[:1], refs[1:]

    def get(self, ref):
        before, self.fetches = self.fetches, self.fetches + 1
        self.fetched(before)
        function, arguments = self.calls[ref]
        return function(*arguments)

    def cancel(self, ref, force):
        raise ConnectionError("no connection")

    def cluster_resources(self):
        return {"CPU": 1.0}


def breaks_at(*turns):
    def act(before):
        if before in turns:
            raise ConnectionError("no connection\nand more")

    return act


def stood_in(monkeypatch, ray: StandIn, workers: int = 2) -> ClusterTasks:
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ClusterTasks(Cluster(workers, 2), Told())


@pytest.mark.parametrize("workers", [1, 2])
def test_where_the_connection_breaks_as_a_result_is_fetched_each_future_says_so(
    monkeypatch, workers
):
    with stood_in(monkeypatch, StandIn(fetched=breaks_at(1, 2, 3)), workers) as tasks:
        first, *rest = [tasks.submit(str.upper, text) for text in "abcd"]
        assert first.result(20) == "A"
        for future in rest:
            with pytest.raises(ClusterError, match="the cluster is lost: no connection"):
                future.result(20)
        with pytest.raises(ClusterError, match="the cluster is lost: no connection"):
            tasks.submit(str.upper, "e").result(20)


def test_where_it_breaks_as_a_task_that_waited_is_submitted_each_future_says_so(monkeypatch):
    gate = threading.Event()
    ray = StandIn(started=breaks_at(1), fetched=lambda before: gate.wait(20))
    with stood_in(monkeypatch, ray, workers=1) as tasks:
        first, *rest = [tasks.submit(str.upper, text) for text in "abc"]
        gate.set()
        assert first.result(20) == "A"
        for future in rest:
            with pytest.raises(ClusterError, match="the cluster is lost: no connection"):
                future.result(20)


def test_a_task_that_never_can_be_submitted_says_so_too(monkeypatch):
    with stood_in(monkeypatch, StandIn(started=breaks_at(*range(9)))) as tasks:
        futures = [tasks.submit(str.upper, text) for text in "ab"]
        for future in futures:
            with pytest.raises(ClusterError, match="the cluster is lost: no connection"):
                future.result(20)


def test_a_task_that_could_not_be_submitted_at_once_is_submitted_again(monkeypatch):
    with stood_in(monkeypatch, StandIn(started=breaks_at(0))) as tasks:
        assert tasks.submit(str.upper, "a").result(20) == "A"
