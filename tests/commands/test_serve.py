"""yocto serve: what keeps it from beginning, and what to do then."""

from __future__ import annotations

import socket

import pytest

from yocto.commands import serve
from yocto.config import ServeConfig
from yocto.errors import ConfigError, YoctoError
from yocto.utils.progress import SilentProgress


def test_an_address_that_others_reach_takes_a_key(monkeypatch):
    monkeypatch.delenv(serve.KEY, raising=False)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(ConfigError, match="no API key"):
            serve.with_key(ServeConfig(host=host))
        assert serve.with_key(ServeConfig(host=host, api_key="k")).api_key == "k"
    for host in ("127.0.0.1", "localhost", "::1", "127.5.5.5"):
        assert serve.with_key(ServeConfig(host=host)).api_key is None
    monkeypatch.setenv(serve.KEY, "secret")
    assert serve.with_key(ServeConfig(host="0.0.0.0")).api_key == "secret"
    assert serve.with_key(ServeConfig(api_key="own")).api_key == "own"


def test_an_origin_that_no_browser_sends_is_told():
    for wrong in (
        "example.org",
        "http://[",
        "http://[::1",
        "https://a.example/page",
        "*",
        "http://",
    ):
        with pytest.raises(ConfigError, match="no site's origin"):
            ServeConfig(allow_origin=("https://example.org", wrong))
    right = ("https://example.org", "http://localhost:3000/", "http://[::1]:80", "app://x")
    assert ServeConfig(allow_origin=right).allow_origin == right


def test_an_address_of_another_machine_is_told():
    with pytest.raises(ConfigError, match="no address of this machine") as caught:
        serve.run(ServeConfig(host="192.0.2.1", api_key="k"), SilentProgress())
    assert "--host" in caught.value.hint


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    with pytest.raises(YoctoError, match="serving needs fastapi and uvicorn") as caught:
        serve.run(ServeConfig(), SilentProgress())
    assert "pip install 'yocto[serve]'" in caught.value.hint


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(YoctoError, match=f"port {port}") as caught:
            serve.run(ServeConfig(port=port), SilentProgress())
    assert "--port" in caught.value.hint
