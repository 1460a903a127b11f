"""A zip from a stranger can be wrong, but it is one clear line and runs nothing."""

import io
import json
import pickle
import zipfile

import cloudpickle
import pytest
import stable_baselines3
import torch

import ludus
from ludus.agents.checkpoints import sb3_zip
from ludus.agents.checkpoints.sb3_zip import import_zip
from ludus.agents.files.safe_io import CheckpointError


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "agent.zip"
    stable_baselines3.PPO(
        "MlpPolicy", "CartPole-v1", n_steps=64, policy_kwargs={"net_arch": [8, 8]}, device="cpu"
    ).save(path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    monkeypatch.setattr(sb3_zip, "MAX_DATA", 2_000_000)
    monkeypatch.setattr(sb3_zip, "MAX_WEIGHTS", 2_000_000)


class Danger:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def rebuilt(saved, kind=zipfile.ZIP_STORED, **members):
    """The zip with other contents for some members; None leaves one out."""
    old, new = zipfile.ZipFile(io.BytesIO(saved)), io.BytesIO()
    contents = {**{name: old.read(name) for name in old.namelist()}, **members}
    with zipfile.ZipFile(new, "w", kind) as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)
    return new.getvalue()


def weights_of(saved):
    return torch.load(zipfile.ZipFile(io.BytesIO(saved)).open("policy.pth"), weights_only=True)


def with_weights(saved, **changes):
    """The zip with other tensors; None leaves one out, and other things than tensors are pickled."""
    content = io.BytesIO()
    torch.save({name: t for name, t in {**weights_of(saved), **changes}.items() if t is not None}, content)
    return rebuilt(saved, **{"policy.pth": content.getvalue()})


def with_optimizer(saved, state):
    content = io.BytesIO()
    torch.save(state, content)
    return rebuilt(saved, **{"policy.optimizer.pth": state if isinstance(state, bytes) else content.getvalue()})


def averages(**slots):
    return {"state": {0: slots}, "param_groups": [{}]}


def with_data(saved, **changes):
    data = json.loads(zipfile.ZipFile(io.BytesIO(saved)).read("data"))
    return rebuilt(saved, data=json.dumps({n: v for n, v in {**data, **changes}.items() if v is not ...}))


def with_policy(saved, **changes):
    return with_data(saved, policy_kwargs={":type:": "<class 'dict'>", ":serialized:": "gAU=", **changes})


def doubled(saved):
    content = io.BytesIO(saved)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(content, "a") as archive:
        archive.writestr("policy.pth", b"another")
    return content.getvalue()


def linked(saved):
    info = zipfile.ZipInfo("policy.pth")
    info.external_attr = 0o120777 << 16
    content = io.BytesIO(rebuilt(saved, **{"policy.pth": None}))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    return content.getvalue()


def packed(saved):
    """Weights that unpack to more than is allowed."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"")
        archive.writestr("archive/data/0", bytes(3_000_000))
    return rebuilt(saved, zipfile.ZIP_DEFLATED, **{"policy.pth": inner.getvalue()})


def understated(saved):
    """A member that unpacks to more than it declares."""
    content = rebuilt(saved, zipfile.ZIP_DEFLATED, data=b" " * 1_000_000)
    return content.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))


def crowded(saved):
    content = io.BytesIO(saved)
    with zipfile.ZipFile(content, "a") as archive:
        for k in range(12_000):
            archive.writestr(str(k), b"")
    return content.getvalue()


def overfull(saved):
    """A directory of more than a megabyte."""
    content = io.BytesIO(saved)
    with zipfile.ZipFile(content, "a") as archive:
        for k in range(300):
            archive.writestr(f"{k:05}" * 1000, b"")
    return content.getvalue()


def flip(saved):
    at = saved.index(b"archive/data/0") + 200
    return saved[:at] + bytes([saved[at] ^ 4]) + saved[at + 1 :]


ACTOR = "mlp_extractor.policy_net.0.weight"
RELU_FROM_ELSEWHERE = "<class 'evil.ReLU'>"
HOSTILE = {
    "nothing": (lambda s: b"", "not a whole zip"),
    "not a zip": (lambda s: b"Stable-Baselines3" * 100, "not a whole zip"),
    "half of it": (lambda s: s[: len(s) // 2], "not a whole zip|no member"),
    "a flipped bit": (flip, "not a whole zip"),
    "two of one name": (doubled, "two members of one name"),
    "a link": (linked, "is a link"),
    "a bomb": (packed, "unpack to more than"),
    "a bomb in data": (
        lambda s: rebuilt(s, zipfile.ZIP_DEFLATED, data=bytes(3_000_000)),
        "has 3000000 bytes, more",
    ),
    "a member larger than it says": (understated, "not a whole zip"),
    "too many members": (crowded, "members, more than 10000"),
    "an endless directory": (overfull, "its directory of members has"),
    "no weights": (lambda s: rebuilt(s, **{"policy.pth": None}), "no member 'policy.pth'"),
    "no data": (lambda s: rebuilt(s, data=None), "no member 'data'"),
    "data that is no JSON": (lambda s: rebuilt(s, data=pickle.dumps(Danger())), "not JSON"),
    "data that is nested deep": (lambda s: rebuilt(s, data="[" * 100_000), "not JSON"),
    "data that is a list": (lambda s: rebuilt(s, data="[]"), "not a JSON object"),
    "a pickle as weights": (lambda s: rebuilt(s, **{"policy.pth": pickle.dumps(Danger())}), "not a file of tensors"),
    "a pickle among the weights": (lambda s: with_weights(s, **{ACTOR: Danger()}), "more than tensors"),
    "a number as weights": (lambda s: with_weights(s, **{ACTOR: 3}), "policy_net.0.weight is not a plain array"),
    "sparse weights": (lambda s: with_weights(s, **{ACTOR: torch.eye(4).to_sparse()}), "not a plain array"),
    "double weights": (
        lambda s: with_weights(s, **{ACTOR: torch.zeros(8, 4).double()}),
        "policy_net.0.weight is torch.float64",
    ),
    "NaN": (
        lambda s: with_weights(s, **{ACTOR: torch.full((8, 4), torch.nan)}),
        "policy_net.0.weight has .* not finite",
    ),
    "a number repeated": (lambda s: with_weights(s, **{ACTOR: torch.zeros(1).expand(10**6, 10**6)}), "fewer numbers"),
    "no numbers": (lambda s: with_weights(s, **{ACTOR: torch.zeros(0, 4)}), "which no weights have"),
    "other observations": (
        lambda s: with_weights(s, **{ACTOR: torch.zeros(8, 5)}),
        r"0.weight is \(8, 5\), and \(8, 4\)",
    ),
    "layers that do not fit": (
        lambda s: with_weights(s, **{ACTOR: torch.zeros(9, 4)}),
        "policy_net.2.weight .* after one of 9",
    ),
    "a layer too wide": (lambda s: with_weights(s, **{ACTOR: torch.zeros(20_000, 4)}), "is no layer"),
    "a layer without bias": (
        lambda s: with_weights(s, **{"value_net.bias": None}),
        "value_net.bias is only in the network",
    ),
    "a tensor too many": (lambda s: with_weights(s, core=torch.zeros(3)), "core is only in the file"),
    "another encoder": (
        lambda s: with_weights(s, **{"features_extractor.0.weight": torch.zeros(3)}),
        "features_extractor.0.weight",
    ),
    "a pickle as an optimizer": (
        lambda s: with_optimizer(s, pickle.dumps(Danger())),
        "optimizer is not a file of tensors",
    ),
    "a pickle in the optimizer": (lambda s: with_optimizer(s, {"state": Danger()}), "more than tensors"),
    "an optimizer of words": (lambda s: with_optimizer(s, "Adam"), "optimizer is not a file of tensors"),
    "an optimizer of endless numbers": (
        lambda s: with_optimizer(s, averages(exp_avg=torch.full((8, 4), torch.nan))),
        "0.exp_avg has numbers that are not finite",
    ),
    "an optimizer of another network": (
        lambda s: with_optimizer(s, averages(exp_avg=torch.zeros(1).expand(10**6, 10**6))),
        "0.exp_avg is",
    ),
    "an optimizer with settings that are none": (
        lambda s: with_optimizer(s, {"state": {}, "param_groups": [{"eps": "small"}]}),
        "eps must be",
    ),
    "a policy of someone's": (
        lambda s: with_data(s, policy_class={"__module__": "evil"}),
        "not one of Stable-Baselines3",
    ),
    "no policy": (lambda s: with_data(s, policy_class=...), "does not say what its policy is"),
    "gSDE": (lambda s: with_data(s, use_sde=True), "only be used with continuous actions"),
    "a function of someone's": (
        lambda s: with_policy(s, activation_fn=RELU_FROM_ELSEWHERE),
        "activation_fn is <class 'evil",
    ),
    "features of someone's": (
        lambda s: with_policy(s, features_extractor_class="<class 'evil.E'>"),
        "features_extractor_class",
    ),
    "an unknown argument": (lambda s: with_policy(s, surprise=1), "has surprise"),
    "another algorithm": (lambda s: with_data(s, n_epochs=...), "has no n_epochs"),
    "a word for a number": (lambda s: with_data(s, gamma="0.9"), "gamma must be a number from 0 to 1"),
    "an endless number": (lambda s: with_data(s, vf_coef=float("nan")), "vf_coef must be"),
    "an endless rollout": (lambda s: with_data(s, n_steps=10**12), "n_steps must be a whole number from 1 to 100000"),
}


@pytest.mark.parametrize("damage", HOSTILE)
def test_a_strange_file_is_one_clear_line(saved, tmp_path, damage):
    break_it, message = HOSTILE[damage]
    path = tmp_path / "agent.zip"
    path.write_bytes(break_it(saved))
    with pytest.raises(CheckpointError, match=message) as caught:
        import_zip(path, "CartPole-v1", "cpu", ludus.PPO)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "nothing.zip", tmp_path):
        with pytest.raises(CheckpointError, match="cannot be read"):
            import_zip(path, "CartPole-v1", "auto", ludus.PPO)


def test_pickles_beside_the_numbers_are_not_touched(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(cloudpickle, "loads", lambda *_: pytest.fail("a pickle was loaded"))
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("a pickle was loaded"))
    path = tmp_path / "agent.zip"
    path.write_bytes(with_data(saved, clip_range={":type:": "x", ":serialized:": "gAU="}))
    with pytest.warns(UserWarning, match="clip_range was a function"):
        assert import_zip(path, "CartPole-v1", "cpu", ludus.PPO).clip_range(1.0) == 0.2


def test_another_environment_is_one_clear_line(saved, tmp_path):
    path = tmp_path / "agent.zip"
    path.write_bytes(saved)
    with pytest.raises(CheckpointError, match=r"0.weight is \(8, 4\), and \(8, 2\) in this environment"):
        import_zip(path, "MountainCar-v0", "auto", ludus.PPO)
