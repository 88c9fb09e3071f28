"""Pushing to the hub, against a stand-in of its API on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest

from reference.cli.main import main
from reference.errors import TrainingFailed
from reference.keep import hub
from tests.helpers.refusal import refusal, says


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a push asks for; `files` are the paths that were committed."""

    files: list[str]
    refuses = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert self.headers["Authorization"] == "Bearer hf_stand_in"
        if self.path == "/api/repos/create":
            made = {"url": f"{self.server_url()}/me/mine", "id": "me/mine", "name": "mine"}
            self.answer(
                {"error": "You may not"} if self.refuses else made, 403 if self.refuses else 200
            )
        elif self.path.endswith("/preupload/main"):
            wanted = json.loads(body)["files"]
            files = [{"path": f["path"], "uploadMode": "regular"} for f in wanted]
            self.answer({"files": [{**f, "shouldIgnore": False} for f in files]})
        elif self.path.endswith("/commit/main"):
            entries = [json.loads(line) for line in body.splitlines()]
            paths = [e["value"]["path"] for e in entries if e["key"] == "file"]
            type(self).files.extend(paths)
            page = f"{self.server_url()}/me/mine"
            commit = {"commitUrl": f"{page}/commit/1", "commitOid": "1", "success": True}
            self.answer({**commit, "hookOutput": ""})
        else:
            self.answer({}, 200)

    def do_GET(self) -> None:
        self.answer({}, 404)

    def server_url(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host!s}:{port}"

    def answer(self, value: dict[str, Any], code: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    kind = type("OneHub", (Hub,), {"files": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_stand_in")
        for variable in hub.OFFLINE:
            monkeypatch.delenv(variable, raising=False)
        yield kind
        server.shutdown()


def test_a_push_commits_every_file_of_the_model(saved: Path, stand_in: type[Hub]) -> None:
    hub.check_push("me/mine")
    hub.push(saved, "me/mine")
    assert sorted(stand_in.files) == sorted(p.name for p in (saved / "model").iterdir())


def test_a_hub_that_refuses_says_where_the_model_lies(saved: Path, stand_in: type[Hub]) -> None:
    stand_in.refuses = True
    with pytest.raises(TrainingFailed) as failure:
        hub.push(saved, "me/mine")
    line = str(failure.value)
    assert "\n" not in line
    says(line, "--push-to-hub me/mine", "403", str(saved / "model"))


def test_what_could_not_be_pushed_is_refused_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in hub.OFFLINE:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_stand_in")
    says(refusal(lambda: hub.check_push("a/b/c")), "--push-to-hub", "a/b/c")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    says(refusal(lambda: hub.check_push("me/mine")), "HF_HUB_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    says(refusal(lambda: hub.check_push("me/mine")), "no token", "HF_TOKEN")
    folder = tmp_path / "run"
    words = ["train", "manual", "--run-dir", str(folder), "--push-to-hub", "me/mine"]
    assert main(words) == 2
    assert main([*words, "--no-save"]) == 2
    assert not folder.exists()
    says(capsys.readouterr().err, "no token", "--no-save")
