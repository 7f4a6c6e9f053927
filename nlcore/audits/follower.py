"""Following the runs of an audit as one thing: a bar over all their steps, and a line for each network."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nlcore.errors import plural
from nlcore.runs.terminal import WORTH_AN_ESTIMATE, Terminal, seconds_in_words
from nlcore.training.observers import Start


class Follower(Terminal):
    """Follows the runs of an audit as one thing: a bar over all their steps, and a line for each network."""

    def __init__(self, outer: Terminal, networks: int) -> None:
        super().__init__(quiet=True)
        self.outer, self._networks = outer, networks
        self._done = self._trained = 0
        self._said: set[str] = set()
        self._epochs = 1
        self._before = 0  # epochs of this network that were done when the run went on
        self._began = time.perf_counter()
        self._promised = False

    def skip(self) -> None:
        """Count a network that was trained before."""
        self._done += 1

    def ended(self) -> None:
        """Say that a network is trained, and how long the others take."""
        self._done += 1
        self._trained += 1
        seconds = time.perf_counter() - self._began
        left = (self._networks - self._done) * seconds / self._trained
        more = f"; about {seconds_in_words(left)} left" if left >= 1 else ""
        self.outer.line(f"network {self._done} of {self._networks} is trained{more}")

    def line(self, text: str) -> None:
        """Pass on what is said, once for all networks, but for what a run says of itself."""
        what, resume, _ = text.partition(" Go on with: nl resume")
        text = f"{what} The same nl audit goes on." if resume else text
        if text not in self._said and "already." not in text and ".csv: " not in text:
            self._said.add(text)
            self.outer.line(text)

    def progress_of(self, done: int, total: int, what: str) -> None:
        """Show how far something before a training is."""
        self.outer.progress_of(done, total, what)

    def start(self, start: Start) -> None:
        """Begin to follow a network."""
        self._epochs, self._before = start.epochs, start.done

    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """Show how far all networks are; say once how long they take."""
        share = (epoch - 1 + step / max(1, steps)) / self._epochs
        self.outer.progress_of(
            int((self._done + share) * self._epochs * steps),
            self._networks * self._epochs * steps,
            f"steps of {self._networks} networks",
        )
        seconds = time.perf_counter() - self._began
        fresh = self._trained + share - self._before / self._epochs
        if not self._promised and seconds > WORTH_AN_ESTIMATE and fresh > 0:
            self._promised = True
            left = seconds / fresh * (self._networks - self._done - share)
            self.outer.line(f"about {seconds_in_words(left)} for {plural(self._networks - self._done, 'network')}")

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Say nothing: an epoch of one network of several is no news."""

    def end(self, summary: Mapping[str, Any]) -> None:
        """End the bar."""
        self.outer.stop()

    def stop(self) -> None:
        """End the bar."""
        self.outer.stop()
