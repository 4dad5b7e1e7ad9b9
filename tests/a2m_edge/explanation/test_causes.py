"""Why the music is as it is: whatever is told is so, since the music without the cause is otherwise, as told."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.bundle import Bundle, open_bundle
from a2m_edge.composer.depiction import DEPICTIONS
from a2m_edge.composer.orchestration import players, tinted
from a2m_edge.composer.plan import MODES, Plan, plan
from a2m_edge.errors import OptionError
from a2m_edge.explanation.causes import Cause, Effect
from a2m_edge.explanation.effects import NOTICEABLE, Music
from a2m_edge.explanation.finding import MOST_CAUSES, MOST_EFFECTS, Impression, causes_of
from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS, INSTRUMENTS, ROLES, Feeling, Palette
from a2m_edge.impression.subjects import NOTHING, Subjects
from a2m_edge.perception.encoders import Perception
from a2m_edge.perception.pictures import read_picture
from a2m_edge.soundscape import Soundscape
from tests.fixtures.labelled_bundle import labelled_bundle
from tests.fixtures.places import ROOT

NAMES = tuple(INSTRUMENTS)
COMMENTS = (
    "The waves make me feel at peace",
    "I am afraid of what is coming",
    "I want to dance in all this light",
    "I miss someone who is far away",
    "a table",
)
PICTURES = sorted((ROOT / "examples").glob("*.jpg"))


def perception(
    seed: int, valence: float, arousal: float, cues: Cues = MIDDLE, subjects: Subjects = NOTHING
) -> Perception:
    """A perception whose palette and word follow from a seed."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(len(NAMES), 0.4), len(ROLES)).astype(np.float32)
    feeling = Feeling.of(valence, arousal, EMOTIONS[seed % len(EMOTIONS)])
    return Perception(np.zeros(4, np.float32), feeling, Palette(weights, float(rng.random())), cues, subjects)


@st.composite
def impressions(draw: st.DrawFn) -> Impression:
    """A picture, a comment, or both, whatever they are."""
    seeds, sides = st.integers(0, 2**16), st.floats(-1, 1)

    def felt(cues: Cues = MIDDLE, subjects: Subjects = NOTHING) -> Perception:
        return perception(draw(seeds), draw(sides), draw(sides), cues, subjects)

    cues = Cues(*(draw(st.floats(0, 1)) for _ in Cues.names()))
    names = draw(st.lists(st.sampled_from([*DEPICTIONS, "The Guildhall"]), max_size=5, unique=True))
    sure = sorted((draw(st.floats(0.05, 1)) for _ in names), reverse=True)
    seen = cues, Subjects(dict(zip(names, sure, strict=True)))
    match draw(st.sampled_from(("picture", "words", "both"))):
        case "picture":
            alone = felt(*seen)
            return Impression(alone, alone, None)
        case "words":
            alone = felt()
            return Impression(alone, None, alone)
    return Impression(felt(*seen), felt(*seen), felt())


# --- what the test holds against it: the music without a cause, found from its name alone ----------------------------


def without(impression: Impression, cause: Cause) -> Perception:
    """What would be perceived if what a cause names were not there."""
    whole = impression.whole
    match cause.kind:
        case "painted":
            middle = {trait.split()[1]: 0.5 for trait in cause.what}
            return dataclasses.replace(whole, cues=Cues(**(dataclasses.asdict(whole.cues) | middle)))
        case "shown":
            rest = {name: sure for name, sure in whole.subjects.shown.items() if name != cause.what[0]}
            assert len(rest) == len(whole.subjects.shown) - 1
            return dataclasses.replace(whole, subjects=Subjects(rest))
        case "words" | "words lead":
            assert impression.picture is not None
            return impression.picture
        case "picture leads":
            assert impression.words is not None
            return impression.words
    felt = whole.feeling
    named = cause.what[0]
    if "arousal" in named:
        return dataclasses.replace(whole, feeling=Feeling(felt.emotions, felt.valence, 0.0))
    assert named == felt.word or named == f"{'high' if felt.valence > 0 else 'low'} valence"
    return dataclasses.replace(whole, feeling=Feeling(felt.emotions, 0.0, felt.arousal))


READ: dict[str, Callable[[Plan], float]] = {
    "mode": lambda plan: -list(MODES).index(plan.mode),
    "family": lambda plan: float(plan.family == "major"),
    "tempo": lambda plan: plan.tempo,
    "loudness": lambda plan: plan.loudness,
    "register": lambda plan: plan.register,
    "density": lambda plan: plan.density,
    "legato": lambda plan: plan.legato,
    "colour": lambda plan: plan.colour,
    "relief": lambda plan: plan.relief,
    "wide": lambda plan: float(plan.wide),
    "melody": lambda plan: plan.melody,
    "thinned": lambda plan: float(plan.thinned),
}


def cast(felt: Perception, names: tuple[str, ...], signature: int) -> set[str]:
    chosen = players(tinted(felt.palette, names, felt.cues, felt.subjects), signature).instruments
    return {names[index] for index in chosen}


def lies(impression: Impression, cause: Cause, names: tuple[str, ...], signature: int) -> Iterator[str]:
    """What a cause tells and is not so."""
    if cause.kind == "accord":
        return
    whole, rest = impression.whole, without(impression, cause)
    now, then = (plan(felt.feeling, felt.cues, felt.subjects) for felt in (whole, rest))
    for effect in cause.effects:
        if effect.means == "players":
            come = cast(whole, names, signature) - cast(rest, names, signature)
            if not effect.names or not set(effect.names) <= come:
                yield f"{effect.names} do not come by {cause}"
            continue
        if effect.means in ("figure", "bass"):
            if effect.names != (getattr(now, effect.means),) or effect.names == (getattr(then, effect.means),):
                yield f"{effect} is not so by {cause}"
            elif cause.kind == "shown" and effect.names != (getattr(DEPICTIONS[cause.what[0]], effect.means),):
                yield f"{effect} is another subject's than {cause}"
            continue
        if effect.means == "room":
            change = whole.palette.room - rest.palette.room
        else:
            change = READ[effect.means](now) - READ[effect.means](then)
        if (change > 0) != (effect.direction == "more") or change == 0:
            yield f"{effect} is not so by {cause}: {change}"
    if cause.kind.startswith("felt"):
        named = cause.what[0]
        value = whole.feeling.arousal if named.endswith(" arousal") else whole.feeling.valence
        told = EMOTION_SIGNS[EMOTIONS.index(named)] if named in EMOTIONS else 1 if named.startswith("high ") else -1
        if told * value <= 0:
            yield f"{named} is not so: {value}"
    for trait in cause.what if cause.kind == "painted" else ():
        side, name = trait.split()
        if (getattr(whole.cues, name) > 0.5) != (side == "high"):
            yield f"{trait} is not so"


def agree(impression: Impression) -> bool:
    """Whether the picture alone and the comment alone would bring nearly the plan that both do."""
    whole = plan(impression.whole.feeling, impression.whole.cues, impression.whole.subjects)
    for side in (impression.picture, impression.words):
        assert side is not None
        other = plan(side.feeling, side.cues, side.subjects)
        if other.figure != whole.figure:
            return False
        if other.mode != whole.mode or other.wide != whole.wide or abs(math.log(other.tempo / whole.tempo)) > 0.05:
            return False
    return True


# --- random requests ------------------------------------------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(impression=impressions(), signature=st.integers(0, 2**16 - 1))
def test_without_what_is_named_the_music_is_otherwise_as_told(impression, signature):
    found = causes_of(impression, lambda felt: Music.of(felt, NAMES, signature))
    assert len(found) <= MOST_CAUSES
    strengths = [cause.strength for cause in found]
    assert strengths == sorted(strengths, reverse=True)
    for cause in found:
        assert list(lies(impression, cause, NAMES, signature)) == []
        assert len(cause.effects) <= MOST_EFFECTS
        assert all(effect.units >= NOTICEABLE for effect in cause.effects)
        if cause.kind == "accord":
            assert agree(impression)
        else:
            assert cause.effects
    traits = [trait for cause in found if cause.kind == "painted" for trait in cause.what]
    assert len(traits) == len(set(traits)), "no trait is told twice"


def test_a_lie_would_be_found():
    """The check of the test above, on causes that were turned round or ascribed to another."""
    whole = perception(1, -0.8, 0.7, dataclasses.replace(MIDDLE, brightness=0.0, edges=1.0, warmth=0.0))
    impression = Impression(whole, whole, None)
    found = causes_of(impression, lambda felt: Music.of(felt, NAMES, 9))
    assert len(found) >= 3
    turned = 0
    for cause in found:
        for number, effect in enumerate(cause.effects):
            if effect.names:
                wrong = dataclasses.replace(effect, names=("triangle",))
            else:
                wrong = dataclasses.replace(effect, direction="less" if effect.direction == "more" else "more")
            changed = dataclasses.replace(cause, effects=(*cause.effects[:number], wrong, *cause.effects[number + 1 :]))
            assert len(list(lies(impression, changed, NAMES, 9))) == 1
            turned += 1
    assert turned >= 5
    for what in ("low symmetry", "high brightness"):
        alien = Cause("painted", (what,), (Effect("tempo", "more", 4.0),), 4.0)
        assert list(lies(impression, alien, NAMES, 9))


# --- what is told, and what is not ----------------------------------------------------------------------------------


def kinds(impression: Impression) -> list[str]:
    return [cause.kind for cause in causes_of(impression, lambda felt: Music.of(felt, NAMES, 9))]


def test_a_neutral_picture_in_the_middle_of_all_has_no_cause():
    neutral = perception(3, 0.0, 0.0)
    assert kinds(Impression(neutral, neutral, None)) == []


def test_a_dark_picture_is_low_and_one_of_many_lines_has_many_notes():
    whole = perception(3, 0.0, 0.0, dataclasses.replace(MIDDLE, brightness=0.02, edges=0.98))
    told = {
        (trait, effect.means, effect.direction)
        for cause in causes_of(Impression(whole, whole, None), lambda felt: Music.of(felt, NAMES, 9))
        for trait in cause.what
        for effect in cause.effects
    }
    assert {("low brightness", "register", "less"), ("high edges", "density", "more")} <= told


def test_what_a_picture_shows_is_told_by_its_figure():
    subjects = Subjects({"sea": 0.9, "birds": 0.6, "portrait": 0.5, "table": 0.4})
    whole = perception(3, 0.0, 0.0, MIDDLE, subjects)
    found = causes_of(Impression(whole, whole, None), lambda felt: Music.of(felt, NAMES, 9))
    named = {cause.what[0]: [(each.means, each.names) for each in cause.effects] for cause in found}
    assert ("figure", ("waves",)) in named["sea"]
    assert "table" not in named, "three subjects are heard, and no more"
    assert ("figure", ("birdsong",)) not in named.get("birds", [])


def test_two_traits_that_push_the_same_way_are_one_cause():
    whole = perception(3, 0.0, 0.0, dataclasses.replace(MIDDLE, saturation=0.95, unrest=0.95))
    (cause,) = causes_of(Impression(whole, whole, None), lambda felt: Music.of(felt, NAMES, 9))
    assert set(cause.what) == {"high saturation", "high unrest"}
    assert ("tempo", "more") in {(effect.means, effect.direction) for effect in cause.effects}


def test_the_side_that_outweighs_the_other_is_named():
    calm, fear = perception(3, 0.5, -0.6), perception(3, -0.9, 0.8)
    assert "words lead" in kinds(Impression(fear, calm, fear))
    assert "picture leads" in kinds(Impression(calm, calm, fear))
    still, between, lively = (perception(3, 0.0, arousal) for arousal in (-0.4, 0.0, 0.4))
    assert "words" in kinds(Impression(between, still, lively))


def test_a_comment_that_says_what_the_picture_does_is_in_accord_with_it():
    calm = perception(3, 0.5, -0.6)
    assert "accord" in kinds(Impression(calm, calm, calm))


def test_what_is_neither_dark_nor_light_is_called_neither():
    cues = dataclasses.replace(MIDDLE, emptiness=0.61, brightness=0.61, edges=0.61)
    whole = perception(3, 0.0, 0.0, cues)
    assert kinds(Impression(whole, whole, None)) == []


# --- a real bundle and real pictures --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models() -> Soundscape:
    return Soundscape(open_bundle(), device="cpu", threads=1)


@pytest.fixture(scope="module", params=[None, *PICTURES], ids=lambda path: "none" if path is None else path.stem)
def seen(request, models):
    """A soundscape that sees an example, or nothing."""
    if request.param is None:
        return None
    soundscape = models.again(0)
    soundscape.see(read_picture(request.param))
    return soundscape


@pytest.mark.parametrize("comment", [None, *COMMENTS])
def test_pictures_and_comments_are_told_truly(models, seen, comment):
    if seen is None and comment is None:
        return
    soundscape = models.again(0) if seen is None else seen
    soundscape.hear(comment)
    encoders = soundscape._encoders
    words = None if comment is None else encoders.comment(comment)
    sight = None if soundscape._work is None else soundscape._work.sight
    impression = Impression(
        soundscape.perception,
        None if sight is None else encoders.feel(sight, None),
        None if words is None else encoders.feel(None, words),
    )
    theme, casting = soundscape.theme, soundscape.casting
    assert theme is not None and casting is not None
    names = soundscape.bundle.manifest.instruments
    assert cast(soundscape.perception, names, theme.signature) == {names[index] for index in casting.instruments}
    assert soundscape.why
    if seen is not None:
        assert len(soundscape.why) >= 3
    for cause in soundscape.why:
        assert list(lies(impression, cause, names, theme.signature)) == []
        if cause.kind == "accord":
            assert agree(impression)


def test_a_soundscape_tells_why_once_it_perceives_and_anew_after_every_change(tiny_bundle: Bundle):
    soundscape = Soundscape(tiny_bundle, device="cpu", threads=1)
    with pytest.raises(OptionError, match="nothing to feel yet"):
        _ = soundscape.why
    soundscape.hear("Terror! The storm will drown them all")
    words = soundscape.why
    assert words and all("words" in cause.kind for cause in words)
    assert soundscape.why is words, "it is found once"
    soundscape.see(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))
    assert soundscape.why != words
    soundscape.hear(None)
    assert soundscape.why and not any("words" in cause.kind or cause.kind == "felt in both" for cause in soundscape.why)


def test_what_was_not_understood_is_no_cause(tiny_bundle: Bundle):
    soundscape = Soundscape(tiny_bundle, device="cpu", threads=1)
    soundscape.see(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))
    alone = soundscape.why
    soundscape.hear("мне страшно")
    assert not soundscape.understands
    assert soundscape.why == alone
    silent = soundscape.again(0)
    silent.hear("мне страшно")
    assert silent.why == ()


def test_what_a_bundle_is_told_to_see_is_a_cause_while_the_picture_is_there(tmp_path):
    soundscape = Soundscape(labelled_bundle(tmp_path / "bundle"), device="cpu", threads=1)
    soundscape.see(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))
    (sea,) = [cause for cause in soundscape.why if cause.kind == "shown"]
    assert sea.what == ("sea",)
    assert ("figure", ("waves",)) in [(effect.means, effect.names) for effect in sea.effects]
    soundscape.hear("so calm")
    assert "shown" in [cause.kind for cause in soundscape.why]
    soundscape.see(None)
    assert "shown" not in [cause.kind for cause in soundscape.why]


def test_asking_why_changes_nothing_that_is_heard(tiny_bundle: Bundle):
    sounds = []
    for asked in (False, True):
        soundscape = Soundscape(tiny_bundle, device="cpu", threads=1)
        soundscape.hear("so calm")
        if asked:
            assert soundscape.why
        sounds.append(np.concatenate([chunk.samples for chunk in soundscape.chunks(64)]))
    np.testing.assert_array_equal(sounds[0], sounds[1])


def test_a_bundle_without_a_score_has_no_causes(clip_bundle: Bundle):
    soundscape = Soundscape(clip_bundle, device="cpu", threads=1)
    soundscape.hear("so calm")
    assert soundscape.why == ()
