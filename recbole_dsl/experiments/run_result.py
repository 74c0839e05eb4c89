"""What a run returns: a dict with a short view of itself."""

from html import escape
from typing import Any

from recbole_dsl.experiments.result import headline, measured, table


class Result(dict[str, Any]):
    """The result of a run: a dict of plain data, with a short text and an HTML view for notebooks.

    Both show the model, the dataset, the best epoch, the metrics of validation and test, and the
    checkpoint. What else there is: docs/guide/settings_and_results.md, "What a run leaves".
    """

    def __repr__(self) -> str:
        lines = [headline(self), table(self)]
        if self["checkpoint"] is not None:
            lines.append(f"checkpoint: {self['checkpoint']}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        names, rows = measured(self)
        head = "".join(f"<th>{escape(name)}</th>" for name in ["", *names])
        body = "".join(
            f"<tr><th>{escape(label)}</th>"
            + "".join(f"<td>{metrics[n]:.4f}</td>" if n in metrics else "<td></td>" for n in names)
            + "</tr>"
            for label, metrics in rows
        )
        shown = f"<p>{escape(headline(self))}</p>"
        if rows:
            shown += f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        if self["checkpoint"] is not None:
            shown += f"<p>checkpoint: <code>{escape(self['checkpoint'])}</code></p>"
        return shown
