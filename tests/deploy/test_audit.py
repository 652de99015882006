"""Audit of the pinned packages, against a local database."""

from __future__ import annotations

import importlib.util
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

PATH = Path(__file__).parents[2] / "deploy" / "audit.py"
SPEC = importlib.util.spec_from_file_location("audit", PATH)
assert SPEC is not None and SPEC.loader is not None
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)


@pytest.fixture
def database():
    """URL of a database with one advisory, for torch."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            vulns = [{"vulns": [{"id": "X-1"}]} if query["package"]["name"] == "torch" else {} for query in queries]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"results": vulns}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_versions_are_parsed_without_builds_and_comments():
    text = "# one\nnumpy==2.4.6\ntorch==2.13.0+cpu  # a build\nfilelock==4.0; python_version > '3'\n"
    assert audit.pinned_versions(text) == [("numpy", "2.4.6"), ("torch", "2.13.0"), ("filelock", "4.0")]


def test_an_advisory_fails_the_audit_of_all_packages(database, capsys):
    assert audit.main(database) == 1
    output = capsys.readouterr().out
    pins = audit.pinned_versions(audit.CONSTRAINTS.read_text())
    assert f"torch {dict(pins)['torch']}: https://osv.dev/X-1" in output
    assert output.endswith(f"{len(pins)} packages, 1 advisories\n") and len(pins) > 50


def test_an_unreachable_database_is_reported(capsys):
    assert audit.main("http://127.0.0.1:9/") == 0
    assert capsys.readouterr().out.startswith("Not audited: no answer from http://127.0.0.1:9/")
