"""Agents behind encoders whose weights are as they begin."""

import numpy as np
import torch

import ludus
from ludus.agents.checkpoints.encoder_file import pretrained_of
from ludus.agents.nn.vision import PictureEncoder, PlanesDecoder, for_pictures


def behind_an_encoder(use, **settings):
    """PPO in Catch, from what a frozen encoder makes of pictures; `use` is freeze or decode."""
    torch.manual_seed(0)
    encoder = PictureEncoder(for_pictures("grid", (36, 36, 3), (10, 5), channels=8, depth=1, width=16))
    decoder = PlanesDecoder(encoder, ("ball", "paddle"))
    env = ludus.make_sb3("Catch", 8, obs_type="rgb", size=36)
    seen = torch.as_tensor(np.concatenate([env.reset(), *(env.step(np.full(8, k))[0] for k in (0, 1, 2))]))
    encoder.fit_statistics(seen.permute(0, 3, 1, 2))
    with torch.no_grad():  # about half the planes are there, others in each picture
        decoder.head.bias -= decoder(seen.permute(0, 3, 1, 2)).mean((0, 2, 3))
    return ludus.PPO("mlp", env, policy_kwargs={"encoder": pretrained_of(decoder), use: True}, **settings)
