"""A Ray cluster that is connected or not there: told in seconds, and nothing else is changed."""

from __future__ import annotations

import signal
import socket
import sys
import time

import pytest
from encoding import Told

from yocto.errors import ClusterError
from yocto.utils import cluster
from yocto.utils.cluster import connected, perform


def refused(address: str) -> ClusterError:
    began = time.monotonic()
    with pytest.raises(ClusterError) as caught, connected(address, None, Told()):
        pass
    assert time.monotonic() - began < 20
    return caught.value


def test_without_ray_the_error_tells_what_to_install(monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    error = refused("auto")
    assert (error.message, error.hint) == (
        "ray is not installed", "Install it: pip install 'yocto[cluster]'",
    )  # fmt: skip


@pytest.mark.parametrize("address", ["nonsense", "http://a:1", "a:b", "host:99999", ":6379"])
def test_what_is_no_address_is_told(address):
    pytest.importorskip("ray")
    assert refused(address).message == f"{address!r} is no address of a Ray cluster"


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_where_nobody_listens_the_error_comes_at_once(scheme):
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{free.getsockname()[1]}"
        error = refused(address)
    assert error.message.startswith(f"nobody answers at {address}: ")
    assert "ray start --head" in error.hint


def test_an_address_in_the_environment_is_looked_at_too(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert refused("auto").message.startswith("nobody answers at 127.0.0.1:1: ")


def test_a_worker_with_another_yocto_or_python_says_so():
    python = sys.version_info[:2]
    assert perform(cluster.__version__, python, max, (1, 2)) == 2
    for version, other in (("0.0.1", python), (cluster.__version__, (3, 1))):
        with pytest.raises(ClusterError, match=r"has yocto .* and this machine yocto") as caught:
            perform(version, other, max, (1, 2))
        assert caught.value.hint == "Install the same on each node."


def test_signals_and_the_connection_are_as_before(ray_nodes):
    import ray

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    told = Told()
    with connected(ray_nodes.address, None, told) as found:
        assert {number: signal.getsignal(number) for number in before} == before
        assert found.workers == found.cpus == len(ray_nodes.workers)
    assert not ray.is_initialized()
    assert told.lines == ["on a Ray cluster of 3 nodes with 2 processors"]
    with connected(ray_nodes.address, 7, told) as found:
        assert (found.workers, found.cpus) == (7, 2)


def test_a_connection_that_somebody_made_is_used_and_stays(ray_nodes):
    import ray

    ray.init(ray_nodes.address, log_to_driver=False)
    try:
        with connected("auto", None, Told()) as found:
            assert found.cpus == 2
        assert ray.is_initialized()
    finally:
        ray.shutdown()
