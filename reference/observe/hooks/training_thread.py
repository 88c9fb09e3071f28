"""The one thread whose steps a ledger can hold."""

import threading

import torch


class TrainingThread:
    """Known by its optimizer's steps, and before the first one by its passes with gradients."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._has_stepped = False

    def claim(self) -> None:
        """An optimizer steps in this thread.

        Raises:
            RuntimeError: where another thread trains, too.
        """
        me = threading.current_thread()
        other = self._thread is not None and self._thread is not me
        if other and self._has_stepped and self._thread is not None and self._thread.is_alive():
            raise RuntimeError("two threads train at once, and their steps can't be told apart")
        self._thread, self._has_stepped = me, True

    def is_another(self) -> bool:
        """Whether a forward pass is made now beside the thread that trains."""
        me = threading.current_thread()
        if self._thread is None or not self._thread.is_alive():
            self._thread = me if torch.is_grad_enabled() else None
        return self._thread is not None and self._thread is not me
