"""A run learns of Ray's death, whatever it waits for."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import suppress

import pytest
from ray.tune import tune

from search.cluster import heartbeat
from search.cluster.heartbeat import RayLostError, answers, watched


@pytest.fixture
def listening():
    server = socket.create_server(("127.0.0.1", 0))
    yield server
    server.close()


def place(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_who_listens_answers_and_who_is_gone_does_not(listening):
    there = place(listening)
    assert answers(there)
    listening.close()
    began = time.monotonic()
    assert not answers(there) and time.monotonic() - began < 1


def test_a_busy_machine_has_some_patience_left(monkeypatch):
    tries = []

    def slow(*_, **__):
        tries.append(1)
        raise TimeoutError

    monkeypatch.setattr(heartbeat.socket, "create_connection", slow)
    assert not answers("127.0.0.1:1") and len(tries) == heartbeat.STRIKES


@pytest.fixture
def ray(listening, monkeypatch):
    """A Ray whose master and raylet are one socket."""
    monkeypatch.setattr(heartbeat, "PULSE", 0.02)
    monkeypatch.setattr(
        heartbeat, "PATIENCE", 0.2
    )  # nobody accepts: on a slow machine the queue of the socket fills up

    def init(self, last_resort):
        threading.Thread.__init__(self, daemon=True)
        self.last_resort = last_resort
        self.places, self.dead = {"raylet": place(listening)}, None
        self.over, self.lock = threading.Event(), threading.Lock()

    monkeypatch.setattr(heartbeat._Lifeline, "__init__", init)
    return listening


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def test_its_death_interrupts_the_main_thread(ray, handler, monkeypatch):
    """A shell lets the jobs that it starts in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, handler)
    monkeypatch.setattr(heartbeat, "GRACE", 60)
    began = time.monotonic()
    with pytest.raises(RayLostError, match="Ray's raylet died"), watched(print):
        threading.Timer(0.1, ray.close).start()
        time.sleep(20)
    signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 5


def test_tune_leaves_the_interrupt_alone(ray):
    """Tune takes SIGUSR1 for a wish to end early and in peace, and a search that lost its Ray would be done."""
    with pytest.raises(RayLostError), watched(print):
        tune._setup_signal_catching()
        ray.close()
        time.sleep(20)


def test_an_interrupt_that_somebody_swallowed_is_a_death_all_the_same(ray):
    """As Ray's callbacks do, where an exception can only be printed."""
    with pytest.raises(RayLostError), watched(print):
        ray.close()
        with suppress(KeyboardInterrupt):
            time.sleep(20)


def test_an_interrupt_that_comes_while_an_error_leaves_the_block_is_a_death(ray, monkeypatch):
    """Ray's own error and the knock, at once: the knock must not pass for Ctrl-C."""
    let_go, lines = heartbeat._Lifeline.let_go, []

    def slowly(line):
        lines.append(line)
        if len(lines) == 1:
            time.sleep(20)
        let_go(line)

    monkeypatch.setattr(heartbeat._Lifeline, "let_go", slowly)
    with pytest.raises(RayLostError), watched(print):
        ray.close()
        raise heartbeat.ray.exceptions.WorkerCrashedError
    assert lines[0].over.is_set()


def test_an_end_in_peace_is_no_death(ray):
    with watched(print):
        pass
    ray.close()
    time.sleep(0.1)


def test_ctrl_c_and_errors_stay_what_they_are(ray):
    for error in (KeyboardInterrupt, ValueError):
        with pytest.raises(error), watched(print):
            raise error


@pytest.mark.parametrize("error", [heartbeat.ray.exceptions.WorkerCrashedError, tune.TuneError])
def test_an_error_of_ray_s_own_is_its_death_where_it_is_dead(ray, monkeypatch, error):
    """Also what Tune has made of it."""
    monkeypatch.setattr(heartbeat, "PULSE", 60)
    with pytest.raises(RayLostError), watched(print):
        ray.close()
        raise error


def test_an_error_of_ray_s_own_is_itself_where_it_is_alive(ray):
    with pytest.raises(heartbeat.ray.exceptions.WorkerCrashedError), watched(print):
        raise heartbeat.ray.exceptions.WorkerCrashedError


def test_another_thread_is_not_interrupted(ray):
    seen, before = [], {*threading.enumerate()}  # those of earlier tests may still be ending

    def work():
        with watched(print):
            seen.append({*threading.enumerate()} - before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen and not any(isinstance(each, heartbeat._Lifeline) for each in seen[0])


def test_who_cannot_be_interrupted_has_a_last_resort(ray, monkeypatch):
    """Stands for a main thread that waits inside of Ray: its interrupt comes to nothing."""
    monkeypatch.setattr(heartbeat, "GRACE", 0.1)
    monkeypatch.setattr(heartbeat.signal, "pthread_kill", lambda *_: None)
    seen = []
    with pytest.raises(RayLostError), watched(seen.append):
        time.sleep(0.2)
        assert seen == []
        ray.close()
        time.sleep(1)
    assert seen == ["raylet"]
