"""What a rejection keeps until its call is answered."""

from destination.errors import NoAnswer
from destination.model import Rejection


def test_a_rejection_holds_no_frame_alive():
    """A rejection keeps its error, and nothing of where that was raised and because of what."""
    try:
        try:
            raise TimeoutError("from below")
        except TimeoutError:
            raise NoAnswer("may have been delivered") from None
    except NoAnswer as error:
        kept = error

    rejection = Rejection(0, kept)

    assert rejection.error is kept
    assert kept.__traceback__ is None
    assert kept.__context__ is None
    assert kept.reason == "OUTCOME_UNKNOWN: may have been delivered"
