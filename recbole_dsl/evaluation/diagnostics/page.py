"""The page of one model's diagnostics, or of several side by side."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from recbole_dsl.common.html_page import COLOURS, LEGEND, Page, Section, log_axis, write_page
from recbole_dsl.evaluation.diagnostics.report import edges_text, rows_of_table

_POPULARITY = "popularity group of the {} item<br>(10 = most popular)"
# Of a box, at by_popularity.QUANTILES, in Plotly's names.
_LEVELS = ("lowerfence", "q1", "median", "q3", "upperfence")
_DASHES = ("solid", "dash", "dot")
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "hexagon")

# Label of a model -> its diagnostics.
Found = Mapping[str, Mapping[str, Any]]


def write(path: str | os.PathLike[str], found: Found, warnings: Sequence[str] = ()) -> None:
    """Write the page.

    Args:
        path: file to write.
        found: label -> what :func:`report.diagnose` returned, for each model in the order shown.
        warnings: sentences on what cannot be compared.
    """
    title = "Diagnostics: " + ", ".join(found)
    sections = [*_sections_of_negatives(found), *_sections_of_scores(found), *_tables(found)]
    lines = [verdict(label, one) for label, one in found.items()]
    write_page(path, Page(title, sections, lines, warnings, _intro(found)))


def verdict(label: str, one: Mapping[str, Any]) -> str:
    """What a model's loss does from rare to popular positives, in a sentence."""
    names, _ = _groups_with_rows(one)
    rare, popular = names[0], names[-1]

    def ends(value: str, digits: int) -> str:
        means = one["positives"][value]
        first, last = (f"{means[name]['mean']:,.{digits}f}" for name in (rare, popular))
        return f"{first} in both" if first == last else f"{first} and {last}"

    return (
        f"{label}, rarest and most popular tenth of the positives: mean temperature "
        f"{ends('temperature', 3)}; effective number of negatives "
        f"{ends('effective_negatives', 0)}, of {one['sample_num']:,}; KL(Q || P) {ends('kl', 2)}."
    )


def _intro(found: Found) -> str:
    lines = [
        f"{label}: {one['dataset']}, {one['rows']:,} of {one['training_rows']:,} training rows in "
        f"batches of {one['batch_size']:,}, {one['sample_num']:,} negatives each, seed "
        f"{one['seed']}; {one['loss']}"
        for label, one in found.items()
    ]
    about = (
        "Every training row is a user, a positive item and M drawn negatives. The loss is a "
        "log-sum-exp over the negatives' scores f: tau log sum p exp(f / tau) = E_Q[f] - tau "
        "KL(Q || P). P is what the loss gives each negative beforehand (kappa / M in DSL, uniform "
        "in SL); Q, proportional to p exp(f / tau), is the worst case it defends against, and what "
        "its gradient pushes down. Items are put into ten groups with as many training rows each, "
        "from the least popular (1) to the most popular (10)."
    )
    worst = max(one["identity_error"] for one in found.values())
    check = f"Largest difference between the two sides of the identity in any row: {worst:.1e}."
    return "\n\n".join([*lines, about, check])


def _sections_of_negatives(found: Found) -> Iterator[Section]:
    """How the loss weighs a row's negatives."""
    yield Section(
        "Temperature",
        "A box is the middle half of a group's rows, its whiskers reach from the 5th to the 95th "
        "percentile. A larger temperature spreads a row's gradient over more negatives. Boxes that "
        "rise or fall with popularity mean that the loss treats popular positives unlike rare "
        "ones; a flat line, that it does not.",
        (_boxes(found, "temperature", "temperature, in score units"),),
    )
    yield Section(
        "Effective number of negatives",
        "Over how many negatives a row's gradient is spread: exp of the entropy of Q, its "
        "perplexity, between 1 and M. Lower is more selective: the gradient of such rows comes "
        "from few, hard negatives.",
        (_lines(found, {"effective_negatives": "Q"}, "effective number of negatives"),),
    )
    yield Section(
        "Entropy of the prior P",
        "How far the weights kappa are from even, as a share of log M: 100 % is uniform, as in SL; "
        "below it, kappa prefers some negatives, whatever their scores.",
        (_lines(found, {"prior_entropy_share": "P"}, "entropy of P, % of log M", scale=100),)
        if all("prior_entropy_share" in one["positives"] for one in found.values())
        else (),
    )
    yield Section(
        "Deviation from the prior",
        "KL(Q || P), how far the worst case moves away from the prior, in nats: 0 is no preference "
        "among the negatives. The loss subtracts tau times this from the worst case's mean score.",
        (_lines(found, {"kl": "KL"}, "KL(Q || P), nats"),),
    )


def _sections_of_scores(found: Found) -> Iterator[Section]:
    """Scores and similarities of positives and negatives, and the weight of the rows."""
    yield Section(
        "Scores: positive, worst case, prior",
        "The positive's score against the mean score of its negatives, under the worst case Q (the "
        "robust payoff) and under the prior P. Training widens the gap between the first two; "
        "where it is small, the group's positives are not yet ranked above hard negatives.",
        (
            _lines(
                found,
                {"positive_score": "positive", "payoff": "E_Q[f]", "prior_payoff": "E_P[f]"},
                "mean score",
            ),
        ),
    )
    yield Section(
        "Which negatives are pushed down",
        "Mass of a group of negatives over its share of the drawn negatives: 1 is no more than its "
        "share, 10 ten times it. Q rising with popularity means that the loss pushes popular items "
        "down, which counters popularity bias; P shows how much of it is due to kappa.",
        (_mass_ratios(found),),
    )
    similarities = {
        "similarity": "under Q",
        "prior_similarity": "under P",
        "drawn_similarity": "drawn",
    }
    yield Section(
        "Similarity of positive and negatives",
        "Mean cosine of the positive item and its negatives: of all drawn alike, under P and under "
        "Q. Q above the drawn ones means that substitutes of the positive, some of them likely "
        "false negatives, are pushed most; P above them, that kappa gives more weight to "
        "substitutes (beta > 0); P below them, less (beta < 0).",
        (_lines(found, similarities, "mean cosine of items"),),
    )
    if any(min(one["positives"]["weight"]["all"]["quantiles"]) < 1 for one in found.values()):
        yield Section(
            "Weight of the rows",
            "The factor of a row's term in the loss.",
            (_boxes(found, "weight", "weight of a row"),),
        )


def _tables(found: Found) -> Iterator[Section]:
    for label, one in found.items():
        yield Section(
            f"Means by group: {label}",
            "Rows per item: the fewest and the most training rows of an item of the group. "
            "Temperature and scores in score units, entropy and KL in nats.",
            table=rows_of_table(one),
        )


def _groups_with_rows(one: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the groups that have a row, and the text that is shown on hovering over each."""
    groups = [g for g in one["groups"] if one["positives"]["temperature"][g["name"]] is not None]
    return [g["name"] for g in groups], [_hover_text(g) for g in groups]


def _hover_text(group: Mapping[str, Any]) -> str:
    return f"group {group['name']}: {group['items']:,} items of {edges_text(group)} rows"


def _boxes(found: Found, value: str, title: str) -> go.Figure:
    figure = go.Figure()
    for at, (label, one) in enumerate(found.items()):
        names, _ = _groups_with_rows(one)
        quantiles = [one["positives"][value][name]["quantiles"] for name in names]
        levels = zip(*quantiles, strict=True)
        figure.add_box(
            x=names,
            name=label,
            marker_color=COLOURS[at % len(COLOURS)],
            **{level: list(column) for level, column in zip(_LEVELS, levels, strict=True)},
        )
    return _laid_out(figure, _POPULARITY.format("positive"), title, boxmode="group")


def _lines(found: Found, values: Mapping[str, str], title: str, scale: float = 1) -> go.Figure:
    """Means by group: a colour a model, a dash a quantity."""
    figure = go.Figure()
    for at, (label, one) in enumerate(found.items()):
        names, texts = _groups_with_rows(one)
        for dash, (value, called) in zip(_DASHES, values.items(), strict=False):
            means = [scale * one["positives"][value][name]["mean"] for name in names]
            name = label if len(values) == 1 else f"{label}: {called}"
            _add_line(figure, at, dash, name, names, means, texts)
    return _laid_out(figure, _POPULARITY.format("positive"), title, hovermode="x unified")


def _mass_ratios(found: Found) -> go.Figure:
    """Mass of Q and P over the share of the drawn negatives, by group of negatives."""
    figure = go.Figure()
    for at, (label, one) in enumerate(found.items()):
        shares = one["negatives_by_group"]
        groups = [g for g in one["groups"] if shares["drawn"][g["name"]] > 0]
        names, texts = [g["name"] for g in groups], [_hover_text(g) for g in groups]
        for dash, mass, called in (("solid", "worst_case", "Q"), ("dash", "prior", "P")):
            ratios = [shares[mass][name] / shares["drawn"][name] for name in names]
            _add_line(figure, at, dash, f"{label}: {called}", names, ratios, texts)
    figure.update_yaxes(log_axis())
    title = "mass over share of the drawn negatives"
    return _laid_out(figure, _POPULARITY.format("negative"), title, hovermode="x unified")


def _add_line(
    figure: go.Figure,
    at: int,
    dash: str,
    name: str,
    x: Sequence[str],
    y: Sequence[float],
    texts: Sequence[str],
) -> None:
    colour = COLOURS[at % len(COLOURS)]
    figure.add_scatter(
        x=x,
        y=y,
        name=name,
        mode="lines+markers",
        line=dict(color=colour, dash=dash),
        marker=dict(color=colour, symbol=_SYMBOLS[at % len(_SYMBOLS)], size=8),
        text=texts,
        hovertemplate="%{y:.4g} (%{text})",
    )


def _laid_out(figure: go.Figure, x: str, y: str, **layout: Any) -> go.Figure:
    figure.update_layout(
        xaxis=dict(title=x, type="category", automargin=True),
        yaxis=dict(title=y, automargin=True),
        legend=LEGEND,
        showlegend=True,
        height=420,
        **layout,
    )
    return figure
