"""Addresses on the web: opened with patience, followed where they lead, faults in plain words."""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from yocto import __version__
from yocto.errors import ConfigError, DataError

BLOCK = 1 << 20  # bytes, the most that is read at once
GRACE = 0.5  # seconds that a server has to end its answer when all bytes are there
_MAY_PASS = (408, 425, 429, 500, 502, 503, 504)
_OFFLINE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ECONNREFUSED)
BY_HAND = "Look at the address, or fetch the file by hand, with a browser."


class Passing(Exception):
    """A fault that may pass. wait: seconds that the server asks to wait; offline: nobody was
    reached at all."""

    def __init__(self, message: str, *, wait: float = 0.0, offline: bool = False) -> None:
        super().__init__(message)
        self.wait, self.offline = wait, offline


class OutOfRange(Exception):
    """There is nothing behind the place that was asked for. total: bytes of the whole, if told."""

    def __init__(self, total: int | None) -> None:
        super().__init__("there is nothing behind that place")
        self.total = total


def checked_url(text: str) -> str:
    """An address as it is sent: http or https, other characters than ASCII's encoded, without a
    fragment. Raises ConfigError."""
    shown = text if len(text) <= 200 else f"{text[:197]}..."
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError as error:
        raise ConfigError(f"{shown} is no address: {error}", BY_HAND) from None
    if parts.scheme.lower() not in ("http", "https"):
        raise ConfigError(
            f"{shown}: only http:// and https:// can be downloaded", "Fetch it by other means."
        )
    if parts.username is not None:
        raise ConfigError(
            f"an address at {host} with a user's name in it is not taken",
            "Fetch it by hand, with a browser or curl.",
        )
    if not host or re.search(r"[\s%]", host):
        raise ConfigError(f"{shown} is no address: it names no host", BY_HAND)
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port is not None else ""
    safe = "%/:=&?~+!$,;'@()*[]"  # what has a meaning, and what is encoded already
    return urlunsplit(
        (parts.scheme.lower(), place, quote(parts.path, safe) or "/", quote(parts.query, safe), "")
    )


def file_name(url: str) -> str:
    """The last part of an address as the name of a file that is safe on every system; "download"
    where there is none. No folder, no hidden file, nothing of the query."""
    name = re.split(r"[/\\]", unquote(urlsplit(url).path.rpartition("/")[2], errors="replace"))[-1]
    name = re.sub(r'[\x00-\x1f\x7f-\x9f<>:"|?*�]', "-", name).strip(". ")
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name):  # Windows' devices
        name = f"file-{name}"
    stem, dot, ending = name.rpartition(".")
    if len(name.encode()) > 120:  # room for what is put around it in names of its companions
        ending = f"{dot}{ending}" if stem and len(ending.encode()) <= 20 else ""
        kept = (stem if ending else name).encode()[: 120 - len(ending.encode())]
        name = (kept.decode("utf-8", "ignore") + ending).strip(". ")
    return name or "download"


class Answer:
    """What a server answered: how much is to come, what tells versions apart, and the bytes."""

    def __init__(self, response: _Response, host: str, timeout: float) -> None:
        headers = response.headers
        self.host, self.status = host, response.status
        self.etag = headers.get("ETag", "").strip()
        self.last_modified = headers.get("Last-Modified", "").strip()
        self.is_web_page = headers.get_content_type() in ("text/html", "application/xhtml+xml")
        self.encoding = headers.get("Content-Encoding", "identity").strip().lower()
        self.length = response.length  # of this answer; None where it is not told
        # Whether a connection that breaks can be told from the end.
        self.end_is_sure = response.chunked or self.length is not None
        self.start, self.total = 0, self.length
        if self.status == 206:
            self.start, self.total = _content_range(headers.get("Content-Range", ""), self.length)
        if response.length:
            response.length += 1  # so that it can be seen whether more comes
        self._response, self._timeout = response, timeout

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._response.close()

    def blocks(self) -> Iterator[bytes]:
        """The bytes, as they come. Raises Passing where the connection breaks (where a length was
        told, an early end just ends them), DataError where more comes than was told."""
        left = self.length
        while left is None or left > 0:
            try:
                block = self._response.read1(BLOCK if left is None else min(BLOCK, left))
            except (OSError, http.client.HTTPException) as error:
                raise fault(error, self.host, self._timeout) from error
            if not block:
                return
            left = None if left is None else left - len(block)
            yield block
        if self.length and self._more_comes():
            raise DataError(
                f"{self.host} sent more than the {self.length:,} bytes that it had told",
                f"Its answer can't be trusted; nothing was kept. {BY_HAND}",
            )

    def _more_comes(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            self._response.socket.settimeout(min(GRACE, self._timeout))
            return bool(self._response.read1(1))
        return False


def _content_range(text: str, length: int | None) -> tuple[int, int | None]:
    """Where a part starts, and the bytes of the whole; -1 for a part that contradicts itself."""
    found = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", text.strip())
    if not found:
        return -1, None
    first, last = int(found[1]), int(found[2])
    total = None if found[3] == "*" else int(found[3])
    wrong = last < first or (total is not None and last >= total)
    if wrong or (length is not None and length != last - first + 1):
        return -1, None
    return first, total


def open_url(url: str, timeout: float, start: int = 0, validator: str = "") -> Answer:
    """Ask for the bytes of an address, from `start` on; an answer of status 200 brings them all.

    timeout: seconds without a sign of life. validator: an ETag or a date of which the first bytes
    are; where the server's are others by now, it sends them all.

    Raises Passing, OutOfRange, or DataError for what stays wrong however often it is tried.
    """
    headers = {"User-Agent": f"yocto/{__version__}", "Accept-Encoding": "identity", "Accept": "*/*"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    host = urlsplit(url).hostname or ""
    try:
        response = _opener().open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, url, start) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise fault(error, host, timeout) from error
    return Answer(cast(_Response, response), host, timeout)


class _Response(http.client.HTTPResponse):
    """An answer that keeps its socket at hand."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.socket = sock


class _Connection(http.client.HTTPConnection):
    response_class = _Response


class _SecureConnection(http.client.HTTPSConnection):
    response_class = _Response


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Secure(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return self.do_open(_SecureConnection, req, context=context)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https alone, and never from https to http."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The request to send next."""
        if _forbidden(req.full_url, newurl):
            raise urllib.error.HTTPError(req.full_url, code, msg, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _forbidden(old: str, new: str) -> bool:
    schemes = [urlsplit(url).scheme.lower() for url in (old, new)]
    return schemes[1] not in ("http", "https") or schemes == ["https", "http"]


def _opener() -> urllib.request.OpenerDirector:
    """What urllib opens addresses with, without its doors to ftp:, file: and data:."""
    opener = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(), _Plain(), _Secure(), _Redirects(),
        urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler(),
    ]  # fmt: skip
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _refusal(error: urllib.error.HTTPError, url: str, start: int) -> Exception:
    """An answer that brings no bytes, as what to raise."""
    code, host = error.code, urlsplit(error.url or url).hostname or ""
    reason = http.client.responses.get(code, "")
    status = f"{code} {reason}".strip()
    if code == 416 and start:
        told = re.fullmatch(r"bytes \*/(\d{1,18})", error.headers.get("Content-Range", "").strip())
        return OutOfRange(int(told[1]) if told else None)
    if code in _MAY_PASS:
        wait = error.headers.get("Retry-After", "").strip()
        seconds = float(wait) if re.fullmatch(r"\d{1,9}", wait) else 0.0
        return Passing(f"{host} answered {status}", wait=seconds)
    if code in (301, 302, 303, 307, 308):
        return _astray(error, url)
    if code in (404, 410):
        return DataError(f"there is nothing at {url} (any more): {host} answered {status}", BY_HAND)
    if code in (401, 403, 407, 451):
        message = f"{host} does not give {url} to everybody: it answered {status}"
        return DataError(
            message, "Fetch it by hand, with a browser, where you may be asked to log in."
        )
    return DataError(f"{host} answered {status} to {url}", BY_HAND)


def _astray(error: urllib.error.HTTPError, url: str) -> DataError:
    target = error.headers.get("Location") or error.headers.get("URI") or ""
    new = urljoin(error.url or url, target)
    if not target:
        message = f"{url} leads nowhere: a redirect without an address"
    elif not _forbidden(error.url or url, new):
        message = f"{url} leads in a circle, or through too many redirects"
    elif urlsplit(new).scheme.lower() == "http":
        message = f"{url} leads from https:// to http://, where anybody between could change it"
    else:
        message = f"{url} leads to {new[:200]}, and only http:// and https:// are followed"
    return DataError(message, BY_HAND)


def fault(error: Exception, host: str, timeout: float) -> Exception:
    """What went wrong between here and a server, as what to raise."""
    reason = getattr(error, "reason", error)
    cause = reason if isinstance(reason, Exception) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return DataError(
            f"{host} can't prove that it is {host}: {cause.verify_message}",
            "Check this machine's clock and certificates (SSL_CERT_FILE), or fetch the file by "
            "hand, with a browser.",
        )
    if isinstance(cause, TimeoutError):
        return Passing(f"{host} gave no sign of life for {timeout:g} s")
    if isinstance(cause, socket.gaierror):
        return Passing(
            f"{host} can't be found: the name is wrong or there is no network", offline=True
        )
    if isinstance(cause, OSError):
        words = cause.strerror or str(cause) or type(cause).__name__
        return Passing(f"no connection to {host}: {words}", offline=cause.errno in _OFFLINE)
    if isinstance(cause, http.client.InvalidURL | ValueError):
        return DataError(f"{host}: {cause}", BY_HAND)
    return Passing(f"the connection to {host} broke")
