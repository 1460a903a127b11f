"""Probes find what is planted in embeddings, and nothing where nothing is; their pictures are drawn as they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining import probes
from ludus.agents.pretraining.collect import Collector
from ludus.agents.pretraining.probes import LEAST, PROBES, clusters, embed, probe_table, questions, random_like
from ludus.agents.runtime import extras
from ludus.envs import Bot, OptionError, Simulator

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def frames():
    sim = Simulator("Breakout", 64, seed=1, num_threads=1)
    collector = Collector(sim, Bot(sim, "heuristic", 1), size=36)
    collector.collect(100)
    collector.player = Bot(sim, "random", 2)
    collector.collect(100)
    return collector.frames()


@pytest.fixture(scope="module")
def encoder(frames):
    torch.manual_seed(0)
    encoder = PictureEncoder(for_pictures("nature", frames.pictures.shape[1:], frames.planes.shape[1:3], width=16))
    encoder.fit_statistics(torch.from_numpy(frames.pictures).permute(0, 3, 1, 2))
    return encoder


@pytest.fixture(scope="module")
def pools(frames):
    return {part: frames.rows(part) for part in ("train", "test")}


def planted(signal, rows=900, answers=2):
    """Embeddings that tell the answers as far as the signal is stronger than noise."""
    rng = np.random.default_rng(0)
    y = {part: rng.integers(answers, size=rows) for part in ("train", "test")}
    x = {part: rng.normal(size=(rows, 8)) + signal * np.eye(answers, 8)[y[part]] for part in y}
    return x, y


def ask(probe, x, y, count):
    return probes.ask(probe, x, y, count, tuple(range(y["test"].max() + 1)))


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_finds_what_is_there(probe):
    assert ask(probe, *planted(8), 300) > 0.98


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_finds_nothing_where_nothing_is(probe):
    assert 0.4 < ask(probe, *planted(0), 300) < 0.6


def test_more_labels_help():
    few, many = (ask("linear", *planted(1), count) for count in (10, 900))
    assert few + 0.05 < many


def test_macro_f1_is_over_answers():
    assert ask("linear", *planted(0, answers=4), 800) < 0.35 < 0.95 < ask("linear", *planted(9, answers=4), 800)


def test_only_the_labels_asked_for_are_used():
    x, y = planted(8)
    x["train"][20:] = 100
    assert ask("linear", x, y, 20) > 0.9


def test_only_answers_that_are_scored_count():
    x, y = planted(9, answers=4)
    y["test"] = np.where(y["test"] == 3, 2, y["test"])  # all answers of 3 are wrong, and of 2, half are missed
    assert probes.ask("linear", x, y, 800, (0, 1)) > 0.98
    assert 0.6 < probes.ask("linear", x, y, 800, (2,)) < 0.75
    assert probes.ask("linear", x, y, 800, (3,)) == 0


def test_answers_of_one_kind_are_guessed_to_be_all():
    x, y = planted(8)
    y["train"][:50] = 0
    assert probes.ask("linear", x, y, 50, (1,)) == 0 < probes.ask("linear", x, y, 50, (0,))


def test_pictures_without_an_answer_are_left_out():
    x, y = planted(8)
    for part in y:
        x[part][::2], y[part][::2] = 1e3, -1
    assert ask("linear", x, y, 400) > 0.98


def test_questions_of_planes_have_both_answers_and_say_what_the_planes_say(frames, pools):
    asked = questions(frames, "planes", pools, 4)
    assert {question.group for question in asked} <= set(frames.plane_names)
    assert len({question.group for question in asked}) > 1
    for question in asked:
        plane = frames.planes[..., frames.plane_names.index(question.group)].reshape(len(frames), -1)
        assert (plane == question.answers[:, None]).all(0).any()
        for rows in pools.values():
            assert np.bincount(question.answers[rows]).min() >= LEAST


def test_questions_are_drawn_by_the_seed(frames, pools):
    same, again, other = (questions(frames, "planes", pools, 2, seed) for seed in (0, 0, 1))
    told = [[question.answers.tobytes() for question in asked] for asked in (same, again, other)]
    assert told[0] == told[1] != told[2]


def test_questions_of_advice_and_reward_say_what_the_first_step_says(frames, pools, monkeypatch):
    monkeypatch.setattr(probes, "LEAST", 2)
    for target, column in (("advice", frames.advice), ("reward", np.sign(frames.reward) + 1)):
        (question,) = questions(frames, target, pools)
        picture, first = np.unique(frames.index, return_index=True)
        said, true = question.answers[picture], column.ravel()[first]
        assert (said[said >= 0] == true[said >= 0]).all() and (said >= 0).mean() > 0.5


def test_a_game_without_advice_has_no_question_of_it(frames, pools):
    assert questions(replace(frames, advice=np.full_like(frames.advice, -1)), "advice", pools) == []


def test_the_table_has_every_line_and_the_random_encoder(frames, encoder):
    scores = probe_table(frames, {"mine": encoder}, ("planes", "advice"), ("linear", "tree"), (20, 60), cells=1)
    assert len(scores) == len({(s.encoder, s.layer, s.target, s.probe, s.labels) for s in scores}) == 2 * 2 * 2 * 2 * 2
    assert {score.encoder for score in scores} == {"random", "mine"}
    for score in scores:
        assert 0 <= score.f1 <= 1 and score.f1 == pytest.approx(np.mean(list(score.groups.values())))


def test_an_encoder_as_it_begins_scores_as_the_random_one(frames, encoder):
    scores = probe_table(frames, {"same": random_like(encoder)}, ("planes",), labels=(40,), cells=1)
    by = {(score.encoder, score.layer): score.f1 for score in scores}
    assert by["random", "map"] == by["same", "map"] and by["random", "output"] == by["same", "output"]


def test_the_random_encoder_leaves_random_numbers_and_statistics_alone(encoder):
    before = torch.get_rng_state()
    fresh = random_like(encoder, 3)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(fresh.mean, encoder.mean) and torch.equal(fresh.scale, encoder.scale)
    assert not torch.equal(next(fresh.body.parameters()), next(encoder.body.parameters()))


def test_embeddings_are_those_of_the_encoder_and_leave_it_in_training(frames, encoder):
    rows = np.array([5, 1, 3])
    found = embed(encoder.train(), frames.pictures, rows)
    pictures = torch.from_numpy(frames.pictures[rows]).permute(0, 3, 1, 2)
    with torch.no_grad():
        assert np.allclose(found["output"], encoder(pictures).numpy(), atol=1e-5)
        assert np.allclose(found["map"], encoder.spatial(pictures).flatten(1).numpy(), atol=1e-5)
    assert encoder.training


def test_what_is_unknown_is_said(frames, encoder):
    with pytest.raises(OptionError, match="probes must be of linear, tree, forest, svm, got magic"):
        probe_table(frames, {"a": encoder}, probes=("magic",))
    other = PictureEncoder(for_pictures("nature", frames.pictures.shape[1:], None, width=8))
    with pytest.raises(OptionError, match="all of one kind"):
        probe_table(frames, {"a": encoder, "b": other})


def test_scikit_learn_that_is_missing_is_said(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(OptionError, match=r"pip install 'captum"):
        ask("linear", *planted(1), 10)


def test_clusters_find_what_is_there_and_nothing_where_nothing_is():
    x, y = planted(12, answers=3)
    sizes, information = clusters(x["train"], y["train"], 3)
    assert information > 0.95 and sorted(sizes) == sorted(np.bincount(y["train"]))
    assert clusters(planted(0)[0]["train"], y["train"], 3)[1] < 0.05
    with pytest.raises(OptionError, match="count must be from 1 to 900"):
        clusters(x["train"], y["train"], 1000)
