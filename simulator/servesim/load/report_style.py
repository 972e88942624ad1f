"""The style of a load run's page, light and dark."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --letters: "DejaVu Sans", Verdana, system-ui, sans-serif;
  --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #d1d9e0; --band: #8fb8de; --limit: #c62828;
  --good: #2e7d32; --wait: #b26a00; --refused: #7b3fa0; --broken: #c62828; --none: #59636e;
  --series-1: #1660b0; --series-2: #b35900; --series-3: #a02c6d; --series-4: #27784a; --series-5: #6a4fb3;
  --series-6: #6b5d00;
  --pass: #1a6b2d; --pass-paper: #e6f4ea; --fail: #b3261e; --fail-paper: #fdeceb; --open: #805400;
  --open-paper: #fff4dc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e6e9ec; --faint: #9aa4ae; --line: #363d45; --band: #2f5d8a; --limit: #ff7b72;
    --good: #57ab5a; --wait: #e0a33e; --refused: #c08be0; --broken: #f47067; --none: #9aa4ae;
    --series-1: #6cb2ff; --series-2: #f0a35e; --series-3: #ee86bd; --series-4: #6fcf97; --series-5: #b39ddb;
    --series-6: #d6c452;
    --pass: #7ee08f; --pass-paper: #12301b; --fail: #ff9d94; --fail-paper: #3d1613; --open: #f2c76b;
    --open-paper: #352a10;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 var(--letters); }
main { max-width: 860px; margin: 0 auto; padding: 20px; }
header { padding: 14px 18px; border-left: 6px solid; border-radius: 4px; }
header.pass { border-color: var(--pass); background: var(--pass-paper); }
header.fail { border-color: var(--fail); background: var(--fail-paper); }
header.inconclusive { border-color: var(--open); background: var(--open-paper); }
strong.pass { color: var(--pass); } strong.fail { color: var(--fail); } strong.inconclusive { color: var(--open); }
strong { white-space: nowrap; }
h1 { margin: 0; font-size: 24px; line-height: 1.3; overflow-wrap: anywhere; }
h1 strong { text-transform: uppercase; } h1 span { font-size: 16px; font-weight: normal; }
h2 { margin: 28px 0 8px; font-size: 17px; }
p { margin: 8px 0 0; } ul { margin: 8px 0 0; padding-left: 20px; overflow-wrap: anywhere; }
dl { margin: 0; } dl div { display: flex; gap: 12px; padding: 3px 0; border-bottom: 1px solid var(--line); }
dt { flex: 0 0 160px; color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
dt, dd { font-size: 14px; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; width: 100%; }
th, td { padding: 5px 12px 5px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: normal; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
td:last-child { padding-right: 0; }
figure { margin: 0; } figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--faint); font-size: 13px; margin-top: 2px; }
svg.narrow { display: none; }
@media (max-width: 620px) {
  main { padding: 12px; }
  figure svg.wide { display: none; } figure svg.narrow { display: block; }
  dl div { flex-direction: column; gap: 0; }
  dt { flex-basis: auto; }
  td { min-width: 64px; }
}
@media print { header { border: 2px solid; } }
"""
