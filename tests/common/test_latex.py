from recbole_dsl.common import latex


def test_special_characters_are_escaped():
    assert latex.text("a_b & 5% $x$ #1 {y}") == r"a\_b \& 5\% \$x\$ \#1 \{y\}"
    assert latex.text("\\~^<>|±") == (
        r"\textbackslash{}\textasciitilde{}\textasciicircum{}$<$$>$\textbar{}$\pm$"
    )


def test_a_table_has_booktabs_rules():
    assert latex.tabular([["a", "b"], ["1", "2"], ["3", "4"]]).splitlines() == [
        r"\begin{tabular}{lr}", r"\toprule", r"a & b \\", r"\midrule", r"1 & 2 \\", r"3 & 4 \\",
        r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
