"""What a script may do to its process, and see of it; ends with exit code 3."""

import atexit
import os
import signal
import sys

os.environ["OMP_NUM_THREADS"] = "3"
print("torch imported by somebody else:", "torch" in sys.modules)

import torch

print(__name__, __file__, __spec__, sys.argv, sys.path[0])
print(sys.modules["__main__"].__file__ == __file__, torch.get_num_threads())
print(os.environ.get("TOKENIZERS_PARALLELISM"), os.environ.get("HF_HUB_DISABLE_TELEMETRY"))
print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
print("read:", sys.stdin.read())

where = os.getcwd()
os.chdir("/")
torch.set_num_threads(2)


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        return x * self.factor


def last_words():
    print("at exit:", sys.argv, __name__, sys.modules["__main__"].Scale is Scale)


atexit.register(last_words)
model = Scale()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    model(torch.ones(2)).sum().backward()
    optimizer.step()
print(model.factor.tolist())
sys.exit(3)
