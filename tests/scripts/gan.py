"""A tiny GAN on points of a ring: two networks, two optimizers, in turn."""

import torch
from digest import digest
from torch import nn

torch.manual_seed(0)
latent = 4
netG = nn.Sequential(nn.Linear(latent, 16), nn.ReLU(), nn.Linear(16, 2))
netD = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
criterion = nn.BCEWithLogitsLoss()

for _ in range(4):
    angle = torch.rand(8) * 6.2831853
    real = torch.stack([angle.cos(), angle.sin()], 1)

    # the critic: real ones up, made ones down
    netD.zero_grad()
    lossD_real = criterion(netD(real), torch.ones(8, 1))
    lossD_real.backward()
    fake = netG(torch.randn(8, latent))
    lossD_fake = criterion(netD(fake.detach()), torch.zeros(8, 1))
    lossD_fake.backward()
    optimizerD.step()

    # the maker
    netG.zero_grad()
    lossG = criterion(netD(fake), torch.ones(8, 1))
    lossG.backward()
    optimizerG.step()

print(f"D {(lossD_real + lossD_fake).item():.6f} G {lossG.item():.6f}")
print("weights", digest(netG, netD))
