"""Tasks on two nodes: their results, their errors, and what happens when workers die."""

from __future__ import annotations

from itertools import pairwise

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
