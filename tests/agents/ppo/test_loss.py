"""The loss as one loop against the loss in PyTorch's operations."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.agents.nn.action_dists import FORBIDDEN, CategoricalHead, masked
from ludus.agents.ppo.loss import PARTS, PPO_LOSS, Settings


def both(outputs, batch, options, share):
    """Parts and grads of the two, for the same outputs of a network; advice is a fifth column, -1 for none."""
    (logits, values), actions = (x.clone().requires_grad_() for x in outputs), batch["actions"]
    log_probs, entropies = CategoricalHead(logits.shape[1]).log_prob_and_entropy(logits, actions)
    loss, parts = PPO_LOSS.function(log_probs, entropies, values, batch["columns"][:, :4], options)
    advised = batch["columns"][:, 4].long()
    wanted = torch.log_softmax(logits, -1).gather(1, advised.clamp(min=0).unsqueeze(1)).squeeze(1)
    cross_entropy = -torch.where(advised >= 0, wanted, 0.0).mean()
    loss = loss + options.kickstart_coef * cross_entropy
    parts[PARTS.index("loss")] += options.kickstart_coef * cross_entropy.detach()
    theirs = torch.autograd.grad(share * loss, (logits, values))
    return (*theirs, share * parts), PPO_LOSS.grads(logits, values, actions, batch["columns"], options, share)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40), st.integers(1, 7), st.sampled_from([None, 0.0, 0.3]), st.sampled_from([0.0, 0.01, 1.0]),
    st.sampled_from([1.0, 0.25]), st.booleans(), st.sampled_from([0.0, 0.7]), st.integers(0, 2**16),
)  # fmt: skip
def test_as_pytorch_differentiates_it(samples, choices, clip_vf, ent_coef, share, with_mask, kickstart_coef, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(samples, choices, generator=generator)
    actions = torch.randint(0, choices, (samples,), generator=generator)
    if with_mask:
        mask = torch.rand(samples, choices, generator=generator) < 0.5
        logits = masked(logits, mask.scatter(1, actions.unsqueeze(1), True))
    advised = torch.randint(-1, choices, (samples,), generator=generator)
    advised = torch.where(logits.gather(1, advised.clamp(min=0).unsqueeze(1)).squeeze(1) > FORBIDDEN, advised, -1)
    values = torch.randn(samples, generator=generator)
    log_probs = torch.log_softmax(logits, -1).gather(1, actions.unsqueeze(1)).squeeze(1)
    old = log_probs + 0.3 * torch.randn(samples, generator=generator)  # within and beyond the clip range
    columns = torch.stack([old, *(torch.randn(samples, generator=generator) for _ in range(3)), advised.float()], -1)
    options = Settings(0.2, clip_vf, ent_coef, 0.5, kickstart_coef)
    theirs, ours = both((logits, values), {"actions": actions, "columns": columns}, options, share)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, atol=1e-5, rtol=1e-4)


def test_what_is_not_finite_stays_so():
    """So that the gradient's norm tells, and training stops."""
    options = Settings(clip_range=0.2, clip_range_vf=None, ent_coef=0.0, vf_coef=0.5)
    grads, value_grads, parts = PPO_LOSS.grads(
        torch.tensor([[0.0, float("nan")]]),
        torch.tensor([float("inf")]),
        torch.tensor([1]),
        torch.zeros(1, 4),
        options,
        1.0,
    )
    assert not grads.isfinite().all() and not value_grads.isfinite().all() and not parts[3].isfinite()
