"""The rating study, against a small server on loopback that answers as OpenAI's chat completions do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from a2m_edge import strict_json
from a2m_edge.errors import DataError, OptionError, OutputError
from tests.fixtures.programs import spoken
from tests.fixtures.quiet_server import Serving
from tests.fixtures.terminals import WIDTHS, assert_whole
from training.commands.evaluation import register_evaluation
from training.evaluation.rating import endpoint as rating_endpoint
from training.evaluation.rating.endpoint import KEY, Endpoint, EndpointError, Patience
from training.evaluation.rating.items import ITEMS, Question, RatingItem, mismatched, questions, read_items, write_items
from training.evaluation.rating.prompt import UnusableError, read_rating
from training.evaluation.rating.run import RATINGS, read_answers
from training.evaluation.rating.summary import bootstrap_mean, permutation_p

ROWS = ("row-of-ours", "row-of-chance")
SECRET = "sk-not-to-be-seen"  # noqa: S105

Reply = tuple[int, dict[str, str], bytes]


def completion(content: object) -> Reply:
    """A chat completion that says this."""
    return 200, {}, json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


def material(request: dict[str, Any]) -> dict[str, Any]:
    """What a request asks about."""
    content = request["messages"][1]["content"]
    found: dict[str, Any] = json.loads(content if isinstance(content, str) else content[0]["text"])
    return found


def judge(request: dict[str, Any]) -> Reply:
    """Likes the music that names the comment's number."""
    asked = material(request)
    score = 5 if asked["comment"].split()[-1] == asked["music"].split()[-1] else 2
    shown = not isinstance(request["messages"][1]["content"], str)
    rating = {"image": score if shown else None, "comment": score, "overall": score}
    return completion(json.dumps(rating | {"matches": "both are calm", "mismatches": "it is faster"}))


class Chat(Serving):
    """Serves ``/v1/chat/completions``, and keeps what it is asked.

    Attributes:
        reply: makes the answer to a request.
        asked: the requests; ``heads`` are their headers and ``paths`` their paths.
    """

    def __init__(self, reply: Callable[[dict[str, Any]], Reply] = judge) -> None:
        self.reply = reply
        self.asked: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []
        self.paths: list[str] = []
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                chat.paths.append(self.path)
                chat.heads.append(dict(self.headers))
                chat.asked.append(request)
                status, headers, body = chat.reply(request)
                if status == 0:  # it dies: the connection breaks, and no other is taken
                    chat.close()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_) -> None:
                """Keeps quiet."""

        super().__init__(Handler)
        self.url = f"{self.address}/v1"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch) -> None:
    """No proxy, no key, and pauses that take no time."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.setattr(rating_endpoint, "time", SimpleNamespace(sleep=lambda _: None, time=time.time))


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Runs ``a2m-edge evaluate ...`` as the program does: its status, and what it says on both streams."""
    monkeypatch.setenv("COLUMNS", "200")
    return partial(spoken, capsys, "evaluate")


def picture(number: int) -> bytes:
    """A small PNG of its own."""
    return cv2.imencode(".png", np.full((4, 6, 3), number, np.uint8))[1].tobytes()


def some_items(works: int = 6) -> list[RatingItem]:
    """Works with pictures; the music of each row names the number of the work."""
    return [
        RatingItem(
            row, f"Painting {number}", f"It feels like {number}", f"tags of {letter}, tune {number}", picture(number)
        )
        for row, letter in zip(ROWS, "AB", strict=True)
        for number in range(works)
    ]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of items."""
    place: Path = tmp_path / "items"
    write_items(place, some_items())
    return place


words = st.text(max_size=20)


@settings(max_examples=50, deadline=None)
@given(drawn=st.lists(st.tuples(words, words, words, st.none() | st.integers(0, 255)), min_size=1, max_size=5))
def test_items_come_back_as_they_were(tmp_path_factory, drawn):
    items = [
        RatingItem("ours", title, comment, f"slow {music}", None if shade is None else picture(shade))
        for title, comment, music, shade in drawn
    ]
    place = tmp_path_factory.mktemp("items")
    write_items(place, items)
    assert read_items(place) == items


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 1"),
        ('{"row": "a", "title": "", "comment": "", "music": "m"}', "picture is missing"),
        ('{"row": "a", "title": 3, "comment": "", "music": "m", "picture": null}', "title must be a string"),
        ('{"row": "a", "title": "", "comment": "", "music": " ", "picture": null}', "description of the music"),
        ('{"row": "a", "title": "", "comment": "", "music": "m", "picture": "../secret.png"}', "outside the folder"),
        (
            '{"row": "a", "title": "", "comment": "", "music": "m", "picture": "/etc/passwd"}',
            "no picture in the folder",
        ),
        ('{"row": "a", "title": "", "comment": "", "music": "m", "picture": 7}', "no picture in the folder"),
        ('{"row": "a", "title": "", "comment": "", "music": "m", "picture": "link.png"}', "outside the folder"),
        ('{"row": "a", "title": "", "comment": "", "music": "m", "picture": "none.png"}', "cannot be read"),
        ('{"row": "a", "title": "", "comment": "", "music": "m", "picture": "items.jsonl"}', "is damaged"),
        ("", "is empty"),
    ],
)
def test_damaged_items_are_told(tmp_path, line, told):
    (tmp_path / "secret.png").write_bytes(picture(1))
    place = tmp_path / "items"
    place.mkdir()
    (place / "link.png").symlink_to(tmp_path / "secret.png")
    (place / ITEMS).write_text(line)
    with pytest.raises(DataError, match=told):
        read_items(place)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 4), min_size=2, max_size=8), seed=st.integers(0, 1000))
def test_the_control_never_shows_a_work_with_its_own_music(sizes, seed):
    items = [
        RatingItem("ours", f"Painting {work}", "", f"tune {work} {take}")
        for work, size in enumerate(sizes)
        for take in range(size)
    ]
    if 2 * max(sizes) > sum(sizes):
        with pytest.raises(DataError, match="cannot have a control"):
            mismatched(items, seed)
        return
    pairs = mismatched(items, seed)
    assert all(item.work != other.work for item, other in pairs)
    assert Counter(item.music for item, _ in pairs) == Counter(other.music for _, other in pairs)  # each once
    assert len(pairs) == len(items)


def test_the_order_is_shuffled_by_the_seed():
    items = some_items()
    one, again, other = (questions(items, 2, seed) for seed in (0, 0, 1))
    assert one == again != other
    assert len(one) == 2 * 2 * len(items)
    assert Counter(question.control for question in one) == {True: 24, False: 24}
    for kind in (lambda question: question.item.row, lambda question: question.control):
        changes = sum(kind(one[at]) != kind(one[at + 1]) for at in range(len(one) - 1))
        assert changes > 10  # in blocks it would be one


ASKED = Question(RatingItem("ours", "A", "calm", "slow", picture(1)), "slow", control=False, repeat=0)


@pytest.mark.parametrize(
    "answer",
    [
        '{"image": 2, "comment": 3, "overall": 4, "matches": "m", "mismatches": "x"}',
        'Sure!\n```json\n{"image": 2, "comment": 3.0, "overall": "4", "matches": ["m"], "mismatches": "x"}\n```\nBye {',
        '<think>{"overall": 9} {"a": {</think> {"image":2,"comment":3,"overall":4,"matches":" m ","mismatches":"x"}',
    ],
)
def test_a_rating_is_found_whatever_stands_around_it(answer):
    rating = read_rating(answer, ASKED, pictures=True)
    assert (rating.image, rating.comment, rating.overall, rating.matches, rating.mismatches) == (2, 3, 4, "m", "x")


@pytest.mark.parametrize("score", ["0", "6", "3.5", "null", "true", "NaN", "1e999", '"good"', "[4]", "-4", '"inf"'])
def test_a_score_off_the_scale_is_none(score):
    with pytest.raises(UnusableError, match="whole number"):
        read_rating(f'{{"image": 2, "comment": 3, "overall": {score}}}', ASKED, pictures=True)


@pytest.mark.parametrize("answer", ["", "4", "[4]", "{" * 50_000, '{"a":' * 2_000, '{"comment": 3}'])
def test_an_answer_without_a_rating_is_unusable(answer):
    with pytest.raises(UnusableError, match="no JSON object"):
        read_rating(answer, ASKED, pictures=True)


@settings(deadline=None)
@given(st.text())
def test_no_answer_breaks_the_reading(answer):
    try:
        assert 1 <= read_rating(answer, ASKED, pictures=True).overall <= 5
    except UnusableError as error:
        assert str(error)


def test_what_was_not_shown_is_not_rated():
    rating = read_rating('{"image": 5, "comment": 5, "overall": 4}', ASKED, pictures=False)
    assert rating.image is None
    silent = Question(RatingItem("ours", "A", "  ", "slow"), "slow", control=False, repeat=0)
    assert read_rating('{"image": 5, "comment": 5, "overall": 4}', silent, pictures=True).comment is None


def test_the_means_are_told_whole_on_every_terminal(command, folder, monkeypatch):
    told = {}
    with Chat() as chat:
        for columns in (1000, *WIDTHS):
            monkeypatch.setenv("COLUMNS", str(columns))
            status, said = command("rate", folder, "--endpoint", chat.url, "--model", "judge-1")
            assert status == 0, said
            told[columns] = said[said.index("How well") : said.index(str(folder))]
    for columns in WIDTHS:
        assert_whole(told[columns], told[1000], columns)
        for heading in ("above control", "unusable %"):
            assert heading in " ".join(told[columns].split()) or columns == 200


def test_a_study_is_blinded_controlled_kept_and_not_asked_twice(command, folder, monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    with Chat() as chat:
        arguments = ("rate", folder, "--endpoint", chat.url + "/", "--model", "judge-1")
        status, said = command(*arguments)
        assert status == 0, said
        assert "24 answers, 0.0% of them unusable" in said
        assert command(*arguments)[0] == 0
        assert len(chat.asked) == 24
        assert command(*arguments[:-1], "judge-2")[0] == 0
        assert len(chat.asked) == 48  # another model is asked anew

    sent = "".join(map(json.dumps, chat.asked)) + "".join(chat.paths)
    assert not [word for word in (*ROWS, "control", "shuffled", "true pair", SECRET) if word in sent]
    assert {head["Authorization"] for head in chat.heads} == {f"Bearer {SECRET}"}
    kept = "".join(path.read_text() for path in folder.glob("*.json*"))
    assert SECRET not in kept + said
    heads = [value for head in chat.heads for name, value in head.items() if name != "Authorization"]
    assert not [value for value in heads if SECRET in value]
    assert set(chat.paths) == {"/v1/chat/completions"}
    first = [material(request) for request in chat.asked[:24]]
    own = [each["comment"].split()[-1] == each["music"].split()[-1] for each in first]
    assert Counter(own) == {True: 12, False: 12}
    assert own != sorted(own) and own != sorted(own, reverse=True)
    seen = chat.asked[0]["messages"][1]["content"][1]["image_url"]["url"]
    assert seen.startswith("data:image/png;base64,")

    summary: Any = strict_json.parse((folder / "summary.json").read_bytes())
    assert {row["name"] for row in summary["rows"]} == set(ROWS)
    for row in summary["rows"]:
        assert row["own"]["overall"] == {"value": 5.0, "low": 5.0, "high": 5.0}
        assert row["control"]["overall"]["value"] == 2.0
        assert row["above_control"]["value"] == 3.0
        assert row["p"] == pytest.approx(2 / 2**6, abs=0.006)  # of 64 changes of sign, two are as far; measured: 0.0322
    assert summary["unusable"] == 0
    assert summary["explanations"][0] | {"row": ""} == summary["explanations"][0] | {
        "row": "",
        "overall": 5,
        "matches": "both are calm",
        "mismatches": "it is faster",
    }


def test_a_model_that_likes_everything_stands_not_above_its_control(command, folder):
    with Chat(lambda _: completion('{"image": 5, "comment": 5, "overall": 5}')) as chat:
        assert command("rate", folder, "--endpoint", chat.url, "--model", "m")[0] == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert [(row["above_control"]["value"], row["p"]) for row in summary["rows"]] == [(0.0, 1.0)] * 2


def test_a_model_that_cannot_see_gets_words_alone(command, folder, tmp_path):
    with Chat() as chat:
        status, said = command(
            "rate", folder, "--endpoint", chat.url, "--model", "m", "--no-pictures", "-o", tmp_path / "else"
        )
    assert status == 0, said
    assert all(isinstance(message["content"], str) for request in chat.asked for message in request["messages"])
    summary = json.loads((tmp_path / "else" / "summary.json").read_text())
    assert summary["rows"][0]["own"]["image"] is None
    assert not (folder / "summary.json").exists()


def test_it_goes_on_where_the_server_died(command, folder):
    arguments = ("rate", folder, "--model", "m", "--endpoint")
    with Chat() as chat:
        chat.reply = lambda request: judge(request) if len(chat.asked) <= 9 else (0, {}, b"")
        status, said = command(*arguments, chat.url)
        assert status == 2
        assert "cannot connect" in said and "goes on from there" in said
    answered = [material(request) for request in chat.asked[:9]]
    with (folder / RATINGS).open("a") as stream:
        stream.write('{"key": "torn')  # the computer lost power
    with Chat() as other:
        assert command(*arguments, other.url)[0] == 0
    rest = [material(request) for request in other.asked]
    assert len(rest) == 24 - 9
    assert not [each for each in rest if each in answered]
    assert len(read_answers(folder / RATINGS)) == 24


def test_a_damaged_line_is_told_and_nothing_is_asked(command, folder):
    (folder / RATINGS).write_text('{"key": 3}\n')
    with Chat() as chat:
        status, said = command("rate", folder, "--endpoint", chat.url, "--model", "m")
    assert status == 2
    assert "line 1 of" in said
    assert chat.asked == []


def test_garbage_is_asked_for_once_more_and_then_counted(command, folder):
    def reply(request: dict[str, Any]) -> Reply:
        if material(request)["title"] == "Painting 0":
            return completion("It is " + "very " * 3000 + "nice")
        if material(request)["title"] == "Painting 1" and len(request["messages"]) == 2:
            return completion('{"image": 9, "comment": 5, "overall": 5}')
        if material(request)["title"] == "Painting 2" and len(request["messages"]) == 2:
            return completion(None)
        return judge({"messages": request["messages"][:2]})

    with Chat(reply) as chat:
        assert command("rate", folder, "--endpoint", chat.url, "--model", "m")[0] == 0
        assert len(chat.asked) == 24 + 3 * 4
        assert command("rate", folder, "--endpoint", chat.url, "--model", "m")[0] == 0
        assert len(chat.asked) == 24 + 3 * 4
    again = [request["messages"][-1]["content"] for request in chat.asked if len(request["messages"]) == 4]
    assert sum('"image" must be a whole number from 1 to 5, and is 9' in each for each in again) == 4
    unusable = [each for each in read_answers(folder / RATINGS).values() if each.rating is None]
    assert {each.title for each in unusable} == {"Painting 0"}
    assert all(
        each.raw is not None and each.raw.startswith("It is very") and len(each.raw) == 4000 for each in unusable
    )
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["unusable"] == pytest.approx(4 / 24)
    assert summary["rows"][0]["own"]["unusable"] == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            (401, {}, b'{"error": {"message": "bad key ' + SECRET.encode() + b'"}}'),
            f"does not accept the key: correct {KEY}",
        ),
        ((404, {}, b'{"error": {"message": "The model `m` does not exist"}}'), "has no model 'm'"),
        ((400, {}, b'{"error": "image input is not supported"}'), "--no-pictures"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "sends on to another address"),
        ((200, {}, b"<html>welcome</html>"), "OpenAI's chat completions"),
        ((200, {}, b'{"choices": []}'), "OpenAI's chat completions"),
        ((500, {}, b"out of memory"), "no answer in 6 attempts (500 out of memory)"),
        ((429, {"Retry-After": "86400"}, b""), "no answer in 1 attempts"),
    ],
)
def test_a_refusal_is_one_sentence(command, folder, monkeypatch, reply, told):
    monkeypatch.setenv(KEY, SECRET)
    with Chat(lambda _: reply) as chat:
        status, said = command("rate", folder, "--endpoint", chat.url, "--model", "m")
    lines = [line for line in said.splitlines() if line.startswith("a2m-edge: ")]
    assert status == 2
    assert len(lines) == 1 and told in lines[0]
    assert "Traceback" not in said and SECRET not in said
    assert not (folder / "summary.json").exists()
    assert len({head["Authorization"] for head in chat.heads}) == 1


def test_without_endpoint_or_model_it_says_so(command, tmp_path):
    for arguments, told in (
        ((), "a2m-edge: no endpoint is given: "),
        (("--endpoint", "http://127.0.0.1:1/v1"), "a2m-edge: no model is given: "),
        (("--endpoint", "127.0.0.1:1/v1", "--model", "m"), "a2m-edge: '127.0.0.1:1/v1' is no http or https address: "),
        (("--endpoint", "http://me:word@127.0.0.1/v1", "--model", "m"), "a2m-edge: an address holds no password: "),
        (("--endpoint", "http://127.0.0.1:1/v1", "--model", "m"), "holds nothing to rate"),
    ):
        status, said = command("rate", tmp_path / "none", *arguments)
        assert status == 2
        assert told in said and len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_nobody_at_the_address_is_told(command, folder):
    with Chat() as chat:
        pass
    status, said = command("rate", folder, "--endpoint", chat.url, "--model", "m")
    assert status == 2
    assert f"a2m-edge: cannot connect to {chat.url}/chat/completions" in said


def test_what_passes_is_waited_for():
    pauses: list[float] = []
    replies: Iterator[Reply] = iter(
        [(429, {"Retry-After": "7"}, b""), (503, {}, b""), (429, {"Retry-After": "soon"}, b""), completion("well")]
    )
    with Chat(lambda _: next(replies)) as chat:
        assert Endpoint(chat.url, "m", sleep=pauses.append).ask([]) == "well"
    assert pauses[0] == 7
    assert 1 <= pauses[1] <= 2 < 4.001 > pauses[2] >= 2  # 1 s, doubled, with some chance


def test_silence_is_not_waited_for_for_ever():
    over = threading.Event()

    def reply(_: object) -> Reply:
        over.wait(60)
        return completion("too late")

    with Chat(reply) as chat:
        patience = Patience(attempts=2, answer=0.1)
        with pytest.raises(EndpointError, match="no answer in 2 attempts"):
            Endpoint(chat.url, "m", patience=patience, sleep=lambda _: None).ask([])
        over.set()
    assert len(chat.asked) == 2


@pytest.mark.parametrize("key", ["two\nlines", "clé"])
def test_a_key_that_is_none_is_refused_without_showing_it(key):
    with pytest.raises(OptionError) as told:
        Endpoint("http://127.0.0.1/v1", "m", key)
    assert key not in str(told.value)


def test_a_place_that_cannot_be_written_is_told(command, folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with Chat() as chat:
        status, said = command("rate", folder, "--endpoint", chat.url, "--model", "m", "-o", tmp_path / "file")
    assert (status, chat.asked) == (2, [])
    assert "cannot write" in said
    with pytest.raises(OutputError):
        write_items(tmp_path / "file", some_items())


def test_p_and_interval_of_known_numbers():
    assert permutation_p(np.array([1.0, 1.0, 1.0])) == pytest.approx(2 / 8, abs=0.015)  # measured: 0.2442
    assert permutation_p(np.zeros(4)) == 1
    assert 0 < permutation_p(np.ones(60)) < 0.001
    rng = np.random.default_rng(3)
    values = rng.normal(3, 1, 400)
    mean = bootstrap_mean(values)
    assert mean.low is not None and mean.high is not None
    expected = 1.96 * values.std(ddof=1) / 20  # the normal interval, near which the bootstrap's must be
    assert mean.high - mean.value == pytest.approx(expected, rel=0.05)  # measured: 0.9 %
    assert mean.value - mean.low == pytest.approx(expected, rel=0.05)  # measured: 0.7 %
    assert bootstrap_mean(np.array([4.0])).low is None


def test_evaluate_measures_a_bundle_unless_told_to_rate(monkeypatch):
    app = typer.Typer(rich_markup_mode=None)
    register_evaluation(app)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["evaluate", *arguments], env={"COLUMNS": "120"})
        return f"{result.exit_code} {result.output}"

    shown = run("--help")
    assert "--paper" in shown and "--embedding" in shown and "evaluate rate ITEMS" in shown
    assert "evaluate bundle" not in shown
    assert "--endpoint" in run("rate", "--help")
    assert run().startswith("2 ") and "--data" in run()
    # Without torch the default command says so, once its options are read: that is how far it came.
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    for bundle in ([], ["bundle"], ["./rate"], ["some/folder"]):
        result = CliRunner().invoke(app, ["evaluate", *bundle, "--data", "d", "-o", "o.html"])
        assert type(result.exception).__name__ == "MissingExtraError", (bundle, result.output)
    assert "unexpected extra argument" in run("bundle", "other", "--data", "d", "-o", "o")
