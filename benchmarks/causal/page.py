"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.causal.drawing import boxes_svg, chart_svg
from benchmarks.causal.sections import Boxes, Chart, Claim, Section, Table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem } table { border-collapse: collapse; margin: .5rem 0 1.5rem; font-size: 13px }
th, td { border-bottom: 1px solid #ddd; padding: .2rem .6rem; text-align: left }
figure { display: inline-block; margin: .5rem 1rem .5rem 0; vertical-align: top }
figcaption { max-width: 34rem }
svg text { font: 12px system-ui, sans-serif } svg .middle { text-anchor: middle }
svg .axis { fill: none; stroke: #777 } svg .line { fill: none; stroke-width: 2 }
svg .box { fill: #9cc3e0; stroke: #1b6ca8 } .verdict { font-weight: 600 } .setting { color: #555 }
"""


def page(sections: Sequence[Section], *, about: str) -> str:
    """The page as HTML; `about` says when and on what it was measured."""
    every = [(section, claim) for section in sections for claim in section.claims]
    summary = "".join(
        f"<tr><td>{escape(section.title)}</td><td>{escape(claim.text)}</td>"
        f'<td class="verdict">{escape(claim.verdict)}</td></tr>'
        for section, claim in every
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Causal graphs</title>'
        f"<style>{STYLE}</style><h1>What causal graphs are worth</h1><p>{escape(about)}</p>"
        f"<table><tr><th>experiment</th><th>what the paper says</th><th>here</th></tr>{summary}</table>"
        + "".join(_section(section) for section in sections)
        + "</html>\n"
    )


def _section(section: Section) -> str:
    seconds = f"<p class='setting'>{section.seconds:.0f} seconds.</p>" if section.seconds else ""
    return (
        f"<section><h2>{escape(section.title)}</h2><p class='setting'>{escape(section.setting)}</p>"
        + "".join(_claim(claim) for claim in section.claims)
        + "".join(_shown(one) for one in section.shown)
        + f"{seconds}</section>"
    )


def _claim(claim: Claim) -> str:
    verdict = f"<span class='verdict'>{escape(claim.verdict)}</span>"
    return f"<p><em>{escape(claim.text)}</em> {verdict}: {escape(claim.figures)}</p>"


def _shown(one: Table | Chart | Boxes) -> str:
    caption = escape(one.caption)
    if isinstance(one, Table):
        rows = "".join(_row(cells, "td") for cells in one.rows)
        return f"<p>{caption}</p><table>{_row(one.headings, 'th')}{rows}</table>"
    drawn = chart_svg(one) if isinstance(one, Chart) else boxes_svg(one)
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>"


def _row(cells: Sequence[str], kind: str) -> str:
    return f"<tr>{''.join(f'<{kind}>{escape(cell)}</{kind}>' for cell in cells)}</tr>"
