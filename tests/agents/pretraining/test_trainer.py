"""Which weights a trainer keeps, when it looks at the validation part, and where it stops."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from ludus.agents.pretraining.method import Method
from ludus.agents.pretraining.trainer import History, Trainer, check_settings
from ludus.envs import OptionError


class Line(Method):
    """Ten points on a line; the score and what a look costs are as told."""

    def __init__(self, clock, step=0.125, look=0.0, score=1.0, broken_from=math.inf, rows=1):
        nn.Module.__init__(self)
        self.clock, self.step, self.look, self.score, self.broken_from = clock, step, look, score, broken_from
        self.validation = rows
        self.weight, self.steps = nn.Parameter(torch.zeros(())), 0

    def rows(self, part):
        return torch.arange(10 if part == "train" else self.validation)

    def loss(self, rows):
        loss = (self.weight - 1).square()
        if self.training:
            self.clock.now += self.step
            self.steps += 1
            loss = loss * (math.nan if self.steps >= self.broken_from else 1)
        return loss

    def figures(self, part):
        self.clock.now += self.look
        return {"f1": self.score(self.steps) if callable(self.score) else self.score}


def trainer(time_limit=None, epochs=None, looks=20, told=None, **given):
    told = told or {}
    clock = SimpleNamespace(now=0.0)
    given = {"learning_rate": 0.01, "batch_size": 1, **given}
    return Trainer(
        Line(clock, **told), time_limit=time_limit, epochs=epochs, looks=looks, clock=lambda: clock.now, **given
    )


def test_of_equal_scores_the_lowest_validation_loss_is_kept():
    one = trainer(epochs=10, told={"score": 1.0})
    history = one.train()
    assert len(history.steps) == 20 and history.best == 19
    assert float((one.best["weight"] - 1).square()) == pytest.approx(min(history.validation_loss))
    tied = History(score=[0.5, 1.0, 1.0, 1.0], validation_loss=[0.0, 0.3, 0.1, 0.2])
    assert tied.best == 2


def test_patience_waits_while_the_loss_falls_at_the_same_score():
    assert len(trainer(epochs=10, patience=3).train().steps) == 20
    ended = trainer(epochs=10, patience=3, told={"score": lambda steps: min(steps, 20) - steps / 100}).train()
    assert ended.best == 3 and len(ended.steps) == 7


def test_looks_go_on_evenly_with_more_time():
    first = trainer(time_limit=10)
    first.train()
    more = trainer(time_limit=40)
    more.history, more.spent, more.steps = first.history, first.spent, first.steps
    more.train()
    assert [round(second) for second in more.history.seconds[20:]] == list(range(12, 41, 2))
    assert more.history.progress[20] < more.history.progress[19] == 1


def test_looks_take_at_most_a_fifth_of_the_time():
    one = trainer(time_limit=10, told={"look": 0.5})
    one.train()
    gaps = [after - before for before, after in zip(one.history.seconds, one.history.seconds[1:-1], strict=False)]
    assert min(gaps) > 2.5 - 1e-6 and one.steps > 55  # 2 seconds of training after each half of looking


def test_a_look_that_takes_all_the_time_left_is_the_last():
    one = trainer(time_limit=1, told={"look": 2.0})
    one.train()
    assert one.history.steps == [one.steps] and one.steps < 8


def test_the_first_look_comes_when_steps_are_worth_it():
    assert trainer(time_limit=10, told={"rows": 1}).train().steps[0] == 4
    assert trainer(time_limit=10, told={"rows": 30}).train().steps[0] == 80
    assert trainer(time_limit=10, told={"rows": 1000}).train().steps == [80]
    assert trainer(epochs=10, told={"rows": 1000}).train().steps[0] == 5


def test_ctrl_c_within_a_look_leaves_whole_looks():
    def interrupt(steps):
        if steps > 50:
            raise KeyboardInterrupt
        return 1.0

    one = trainer(epochs=10, told={"score": interrupt})
    history = one.train()
    assert one.interrupted and {len(history.steps), len(history.loss), len(history.score)} == {10}


def test_what_a_look_costs_is_not_asked_where_epochs_decide():
    slow, fast = (trainer(epochs=10, time_limit=1e6, told={"look": look}).train() for look in (50.0, 0.0))
    assert slow.steps == fast.steps == list(range(5, 101, 5))


def test_a_training_that_diverges_stops_with_its_best_finite_weights():
    told = []
    one = trainer(epochs=10, told={"broken_from": 33})
    history = one.train(lambda trainer: told.append(trainer.steps))
    assert history.steps == told == [5, 10, 15, 20, 25, 30] and history.diverged == 33 and one.steps == 35
    assert one.method.weight.isfinite() and torch.equal(one.method.weight, one.best["weight"])


def test_weights_that_are_not_finite_are_no_look_either():
    one = trainer(epochs=1, looks=2)
    one.step()
    one.optimizer.state[one.method.weight]["exp_avg_sq"].fill_(math.inf)
    one.look([torch.zeros(())])
    assert one.history.diverged == 1 and not one.history.steps


def test_without_a_finite_look_there_is_one_line():
    with pytest.raises(
        OptionError, match=r"the loss is not finite from step 2: a lower learning rate would help; there"
    ):
        trainer(epochs=10, told={"broken_from": 2}).train()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"patience": -3}, "patience must be 1 or more, got -3"),
        ({"batch_size": 0}, "batch_size must be 1 or more, got 0"),
        ({"looks": 0}, "looks must be 1 or more"),
        ({"epochs": -1.0}, "epochs must be a finite number above 0, got -1"),
        ({"learning_rate": math.nan}, "learning_rate must be a finite number above 0, got nan"),
        ({"weight_decay": -0.1}, "weight_decay must be a finite number from 0, got -0.1"),
        ({"time_limit": None}, "epochs must be a number where time_limit is None"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, message):
    with pytest.raises(OptionError, match=message):
        check_settings(**given)
    with pytest.raises(OptionError, match=message):
        trainer(**{"time_limit": 1.0, **given})
