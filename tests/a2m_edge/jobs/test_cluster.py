"""The same answers from a Ray cluster as from this machine, whatever happens to its processes and computers."""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from a2m_edge.bundle import open_bundle
from a2m_edge.errors import OutputError
from a2m_edge.jobs.cluster import RayRunner
from a2m_edge.jobs.processes import ProcessRunner
from a2m_edge.jobs.work import Work
from tests.a2m_edge.collection.test_collection import started
from tests.fixtures.collection.ray_cluster import RayCluster
from tests.fixtures.collection.runs import assert_whole, paint, records, run, sounds, wait_for_lines


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    """Twelve small paintings and a file that is none."""
    folder = tmp_path_factory.mktemp("works")
    for number in range(12):
        paint(folder / f"work {number}.png", number)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture(scope="module")
def undisturbed(works, tmp_path_factory):
    """What a run on this machine gives: hash of each sound by name."""
    output = tmp_path_factory.mktemp("undisturbed")
    run(works, "-o", output, "--seconds", 4, "--workers", 2, expected=1)
    return sounds(output)


@pytest.fixture(scope="module")
def cluster():
    """Two computers of one processor each, as far as Ray knows."""
    with RayCluster() as cluster:
        cluster.add_node()
        yield cluster


@pytest.mark.slow
def test_a_cluster_gives_the_very_files_of_one_machine_and_goes_on_where_it_stopped(
    works, undisturbed, cluster, tmp_path
):
    arguments = (works, "-o", tmp_path, "--seconds", 4, "--contact-sheet", "--ray", cluster.address)
    message = run(*arguments, expected=1)
    assert "13 works: 12 rendered, 0 as before, 1 failed" in message
    assert_whole(tmp_path, 13)
    assert sounds(tmp_path) == undisturbed
    assert "it ends within its header" in records(tmp_path)["broken"]["error"]
    assert len(list((tmp_path / "thumbnails").iterdir())) == 12
    (tmp_path / "sounds" / "work_3.flac").unlink()
    assert "1 rendered, 11 as before, 1 failed" in run(*arguments, expected=1)
    assert sounds(tmp_path) == undisturbed


@pytest.mark.slow
def test_works_are_contrasted_with_each_other_as_on_one_machine(works, cluster, tmp_path):
    arguments = ("--seconds", 0.5, "--contrast", "within")
    bundle = open_bundle().path
    run(works, "-o", tmp_path / "one", *arguments, "--workers", 2, expected=1, bundle=bundle)
    told = run(works, "-o", tmp_path / "all", *arguments, "--ray", cluster.address, expected=1, bundle=bundle)
    assert "13 pictures are looked at" in told and "12 rendered" in told
    assert sounds(tmp_path / "all") == sounds(tmp_path / "one")
    assert {each["contrast_tables"] for each in records(tmp_path / "all").values() if each["error"] is None} == {
        each["contrast_tables"] for each in records(tmp_path / "one").values() if each["error"] is None
    }


@pytest.mark.slow
def test_ctrl_c_finishes_what_is_in_hand(works, undisturbed, cluster, tmp_path):
    with started(works, "-o", tmp_path, "--seconds", 4, "--ray", cluster.address) as process:
        wait_for_lines(tmp_path, 2)
        os.kill(process.pid, signal.SIGINT)
        _, message = process.communicate(timeout=120)
    assert process.returncode == 130, message
    assert "Traceback" not in message, message
    done = sounds(tmp_path)
    assert 0 < len(done) < 12
    assert done.items() <= undisturbed.items()
    found = re.search(r"(\d+) left: the same command goes on", message)
    assert found, message
    assert int(found[1]) == 13 - len(records(tmp_path))


def test_what_is_lost_with_a_computer_is_done_by_the_others_in_the_very_same_files(
    works, undisturbed, cluster, tmp_path
):
    cluster.add_node()
    with started(works, "-o", tmp_path, "--seconds", 4, "--ray", cluster.address) as process:
        wait_for_lines(tmp_path, 3)
        cluster.kill_node()
        _, message = process.communicate(timeout=240)
    assert process.returncode == 1, message  # for the file that is no picture
    assert "Traceback" not in message, message
    assert_whole(tmp_path, 13)
    assert sounds(tmp_path) == undisturbed


@pytest.mark.slow
def test_with_a_gpu_the_steps_are_done_apart_and_give_the_same_files(works, undisturbed, tmp_path):
    # Ray believes in the GPU; onnxruntime finds none, and ``auto`` goes on without.
    with RayCluster(processors=2, gpus=1) as cluster:
        arguments = (works, "-o", tmp_path, "--seconds", 4, "--device", "auto", "--contact-sheet")
        run(*arguments, "--ray", cluster.address, expected=1)
    assert_whole(tmp_path, 13)
    assert sounds(tmp_path) == undisturbed
    assert len(list((tmp_path / "thumbnails").iterdir())) == 12


def test_a_cluster_that_is_not_there_is_named_with_the_way_out(works, tmp_path):
    message = run(works, "-o", tmp_path, "--ray", "127.0.0.1:1", expected=2)
    assert "no Ray cluster can be used at 127.0.0.1:1" in message
    assert "ray start --head" in message
    assert "--workers must be at least 1" in run(works, "-o", tmp_path, "--ray", "auto", "--workers", 0, expected=2)


@dataclass(frozen=True)
class Squaring(Work[int, str]):
    """Squares numbers; some of them have consequences."""

    deadly: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()
    log: Path | None = None

    def perform(self, prepared: int) -> str:
        if self.log is not None:
            with self.log.open("a") as stream:
                stream.write(f"{prepared}\n")
        if prepared in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if prepared in self.refused:
            raise OutputError("the disk is full; make room")
        return f"{prepared} squared is {prepared**2}"

    def lost(self, job: int, ending: str) -> str:
        return f"{job}: {ending}"


@pytest.fixture(params=["processes", pytest.param("cluster", marks=pytest.mark.slow)])
def runner(request):
    """Each runner with two processes."""
    if request.param == "processes":
        return ProcessRunner(2)
    return RayRunner(request.getfixturevalue("cluster").address, 2)


def test_a_deadly_job_is_tried_again_and_then_answered_for(runner, tmp_path):
    log = tmp_path / "log"
    answers = list(runner.run(range(20), Squaring(deadly=frozenset({7}), log=log)))
    lost = [answer for answer in answers if answer.startswith("7:")]
    assert len(lost) == 1
    assert sorted(answers) == sorted(
        [*(f"{number} squared is {number**2}" for number in range(20) if number != 7), *lost]
    )
    assert 2 <= log.read_text().split().count("7") <= 3


def test_an_error_that_concerns_all_jobs_ends_the_run_after_what_is_in_hand(runner):
    answers = []
    with pytest.raises(OutputError, match="the disk is full; make room"):
        for answer in runner.run(range(500), Squaring(refused=frozenset({3}))):
            answers.append(answer)  # noqa: PERF402 - what came before the error counts
    assert 2 <= len(answers) < 499
    assert all(" squared is " in answer for answer in answers)


def test_nothing_new_is_begun_once_it_is_to_stop(runner):
    answers: list[str] = []

    def stopping():
        return len(answers) >= 3

    for answer in runner.run(range(2000), Squaring(), stopping):
        answers.append(answer)
        time.sleep(0.1)
    assert 3 <= len(answers) < 1000


def test_no_jobs_give_no_answers(runner):
    assert list(runner.run([], Squaring())) == []
