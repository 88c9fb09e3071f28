"""Nothing is kept for models that are gone."""

import gc
from collections.abc import Iterator, Sized

from reference.ledger.record import Record
from reference.observe.observer import Observer
from tests.helpers.small import net, train


class Nothing:
    """Takes records, and keeps none."""

    def write(self, record: Record) -> None:
        pass

    def close(self) -> None:
        pass


def sizes(thing: object) -> Iterator[int]:
    for value in vars(thing).values():
        if isinstance(value, Sized):
            yield len(value)


def test_a_training_that_makes_many_models_keeps_no_more_for_them() -> None:
    """But for what the end of the ledger says of each: what it held when it went."""
    kept = []
    with Observer(Nothing()) as observer:
        for number in range(30):
            train(net(), 2)
            if number in (9, 29):
                gc.collect()
                recording = observer.recording
                parameters = recording.parameters
                things = (
                    parameters,
                    parameters._places,
                    recording.settings,
                    observer._steps._calls,
                )
                kept.append([list(sizes(thing)) for thing in things])
    assert kept[0] == kept[1]
    assert recording.parameters.count == 120
