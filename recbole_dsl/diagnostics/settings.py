"""Which losses have diagnostics, and the settings that ask for them."""

from recbole_dsl.registry import LOSSES, loss_class
from recbole_dsl.settings import UsageError


def check_loss(model, loss):
    """Refuse a model whose loss has no worst case over negatives.

    Args:
        model: name of the model, for the message.
        loss: name of its loss, for :func:`recbole_dsl.registry.loss_class`; None for a model that
            is no pair of ours.
    Raises:
        UsageError: no diagnostics are defined for it.
    """
    if loss is not None and hasattr(loss_class(loss), "robust_view"):
        return
    known = ", ".join(name for name, cls in LOSSES.items() if hasattr(cls, "robust_view"))
    raise UsageError(
        f"{model} has no diagnostics: they are defined for losses that are a log-sum-exp over "
        f"drawn negatives ({known}, or one of your own with robust_view)"
    )


def check_settings(values, model, loss):
    """Check ``diagnostics`` and ``diagnostics_rows`` before any data is read.

    Raises:
        UsageError: diagnostics are asked for and not defined, or the number of rows is none.
    """
    check_rows("diagnostics_rows", values["diagnostics_rows"])
    if values["diagnostics"]:
        check_loss(model, loss)


def check_rows(name, value):
    """Raise UsageError unless value is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(
            f"{name} must be an integer >= 1, a number of training rows, got {value!r}"
        )
