"""An OpenAI-compatible server on loopback that replays recorded answers, well or badly.

Run as a program it prints its port and serves until it is stopped. The path says how it behaves:
``/{behaviour}/v1/chat/completions``, with these behaviours:

* ``fine``: the recorded answer of the asked model, or an echo of the question
* ``slow``: likewise, after a second
* ``limited``: status 429 the first time a conversation is sent, then fine
* ``hanging``: no answer for a minute
* ``cut``: half of the answer, then the connection is closed
* ``nonsense``: status 200 with something that is no JSON
* ``down``: status 500
* ``tool``: a call of the first tool that is offered
* ``reader``: the sentence of the prompt's context that shares most words with its query
* ``judge``: the letter of the longer answer, with log probabilities where they are asked for
* ``judge-object``: the same, as a call of the tool that is offered

Asked for an object, all that answer say which of two answers is longer.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

RECORDS = Path(__file__).parents[1] / "core" / "blender_core" / "cli" / "demo.jsonl"

ANSWERS = {
    (record["instruction"], candidate["model"]): candidate["text"]
    for record in map(json.loads, RECORDS.read_text(encoding="utf-8").splitlines())
    for candidate in record["candidates"]
}

_seen: set[str] = set()
_lock = Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        behaviour = self.path.split("/")[1]
        if behaviour == "slow":
            time.sleep(1.0)
        elif behaviour == "hanging":
            time.sleep(60.0)
        elif behaviour == "down":
            self._send(500, json.dumps({"error": {"message": "out of order"}}).encode())
            return
        elif behaviour == "nonsense":
            self._send(200, b"<html>{ this is no JSON")
            return
        elif behaviour == "limited":
            with _lock:
                is_new = body.decode() not in _seen
                _seen.add(body.decode())
            if is_new:
                self._send(429, json.dumps({"error": {"message": "slow down"}}).encode())
                return
        message = _message(behaviour, asked)
        if asked.get("stream"):
            self._stream(asked, message, cut=behaviour == "cut")
        else:
            done = json.dumps(_completion(asked, message)).encode()
            self._send(200, done, cut=behaviour == "cut")

    def _send(self, status: int, body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._hang_up()

    def _stream(self, asked: dict[str, Any], message: dict[str, Any], *, cut: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in _events(asked, message):
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
            if cut:
                # A reset, as of a server that died: a closed stream would count as complete.
                self._hang_up()
                return
        self.wfile.write(b"data: [DONE]\n\n")

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        at_once = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.connection.close()

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):
            self.close_connection = True  # whoever asked is gone, or we hung up


def _message(behaviour: str, asked: dict[str, Any]) -> dict[str, Any]:
    question = asked["messages"][-1]["content"]
    if behaviour == "tool" and asked["messages"][-1]["role"] != "tool":
        function = asked["tools"][0]["function"]
        words = dict.fromkeys(function["parameters"]["properties"], question)
        call = {"name": function["name"], "arguments": json.dumps(words)}
        calls = [{"id": "call_1", "type": "function", "function": call}]
        return {"role": "assistant", "content": None, "tool_calls": calls}
    blocks = re.findall(r"<answer-([AB])-\w+>\n(.*?)\n</answer", question, re.DOTALL)
    longer = max(blocks, key=lambda block: len(block[1]), default=("", ""))[0]
    if behaviour == "judge-object":
        verdict = json.dumps({"better": longer, "confidence": 0.9})
        call = {"name": asked["tools"][0]["function"]["name"], "arguments": verdict}
        calls = [{"id": "call_1", "type": "function", "function": call}]
        return {"role": "assistant", "content": None, "tool_calls": calls}
    if behaviour == "judge":
        return {"role": "assistant", "content": longer}
    if "response_format" in asked:
        verdict = {"better": longer, "confidence": 0.9}
        return {"role": "assistant", "content": json.dumps(verdict)}
    if behaviour == "reader":
        return {"role": "assistant", "content": _read(question)}
    text = ANSWERS.get((question, asked["model"]), f"{asked['model']} says: {question}")
    return {"role": "assistant", "content": text}


def _read(prompt: str) -> str:
    """What a very simple reader answers to LlamaIndex's prompts."""
    context = prompt.split("---------------------")[1]
    query = re.search(r"(?:Query: |answer the query: )(.*)", prompt)[1]
    wanted = _words(query)
    sentences = [s.strip() for s in re.split(r"(?<=[.!?;:])\s+|\n+", context) if s.strip()]
    found = [(len(wanted & _words(s)) / (5 + len(_words(s))) ** 0.5, s) for s in sentences]
    return max(found, key=lambda pair: pair[0])[1]


def _words(text: str) -> set[str]:
    common = {
        "the",
        "a",
        "of",
        "is",
        "what",
        "which",
        "when",
        "in",
        "to",
        "does",
        "it",
        "are",
        "how",
    }
    return {word.rstrip("s") for word in re.findall(r"\w+", text.lower())} - common


def _usage(message: dict[str, Any]) -> dict[str, int]:
    count = len((message["content"] or "").split())
    return {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count}


def _completion(asked: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": message}
    if asked.get("logprobs"):
        letter, other = message["content"], "AB".replace(message["content"], "")
        top = [{"token": letter, "logprob": -0.5}, {"token": other, "logprob": -2.5}]
        choice["logprobs"] = {"content": [{**top[0], "bytes": None, "top_logprobs": top}]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked["model"],
        "choices": [choice],
        "usage": _usage(message),
    }


def _events(asked: dict[str, Any], message: dict[str, Any]) -> list[dict[str, Any]]:
    def event(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": asked["model"],
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    events = [event({"role": "assistant", "content": ""})]
    events += [event({"content": w}) for w in re.findall(r"\s*\S+\s*", message["content"] or "")]
    for place, call in enumerate(message.get("tool_calls", [])):
        events.append(event({"tool_calls": [{**call, "index": place}]}))
    events.append(event({}, "stop"))
    if (asked.get("stream_options") or {}).get("include_usage"):
        events.append({**event({}), "choices": [], "usage": _usage(message)})
    return events


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


def main() -> None:
    server = Server(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
