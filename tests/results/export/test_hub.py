"""Upload of an export, to a server on this machine that answers as the Hub does."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from results.command_line import main
from results.export.hub import push_export
from spaces.errors import UserError


class FakeHub(BaseHTTPRequestHandler):
    """Answers to the requests of an upload; keeps the uploaded files."""

    files: dict[str, bytes]
    allowed = True

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.allowed or self.headers.get("Authorization") != "Bearer hf_test":
            return self.answer(403, {"error": "You don't have the rights to create a model under this namespace"})
        if self.path == "/api/repos/create":
            return self.answer(200, {"url": f"http://{self.headers['Host']}/user/{json.loads(content)['name']}"})
        if self.path == "/api/validate-yaml":  # of the card
            return self.answer(200, {"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(content)["files"]]
            modes = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            return self.answer(200, {"files": modes})
        for line in map(json.loads, content.splitlines()):
            if line["key"] == "file":
                self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        url = f"http://{self.headers['Host']}/user/net/commit/1"
        return self.answer(200, {"success": True, "commitOid": "1" * 40, "commitUrl": url, "hookOutput": ""})

    def answer(self, status: int, body: dict) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeHub]]:
    """Return the handler of a server in the place of the Hub."""
    handler = type("Handler", (FakeHub,), {"files": {}})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    yield handler
    server.shutdown()
    server.server_close()


def test_an_export_is_uploaded_with_its_card_as_readme(hub, copy, capsys) -> None:
    assert main(["export", str(copy), "--push", "user/net"]) == 0
    assert capsys.readouterr().out.endswith("/user/net/commit/1\n")
    local = {path.name: path.read_bytes() for path in (copy / "export").iterdir()}
    assert hub.files == {"README.md" if name == "card.md" else name: content for name, content in local.items()}


def test_a_refused_upload_is_one_line(hub, tmp_path: Path, capsys) -> None:
    (tmp_path / "card.md").write_text("---\nlicense: mit\n---\n")
    hub.allowed = False
    with pytest.raises(UserError, match=r"--push user/net: .*403") as error:
        push_export(tmp_path, "user/net")
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(UserError, match="--push not a name: "):
        push_export(tmp_path, "not a name")


def test_several_students_are_not_uploaded(copy, capsys) -> None:
    assert main(["export", str(copy), "--top", "2", "--push", "user/net"]) == 2
    assert "--push and --student KEY take one" in capsys.readouterr().err
