// The style sheet. Colours differ in lightness as well as in hue, and each stands out from its ground by 3 to 1 or more.
#include "bench/report/style.h"

namespace bench::report {

const char* const style_sheet = R"css(
:root {
  color-scheme: light dark;
  --ground: #ffffff; --panel: #f4f5f7; --text: #1a1c1f; --faint: #565b63; --line: #d3d7dd;
  --good: #17643a; --bad: #a3261b; --link: #0b57a4; --range: #1a1c1f;
  --k0: #0b57a4; --k1: #c2410c; --k2: #0f766e; --k3: #9d2f7f; --k4: #8a6300; --k5: #6d4fc4;
  --k6: #4d7c0f; --k7: #b4233c; --k8: #6b7280;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --panel: #1e2329; --text: #e6e8eb; --faint: #a8afb9; --line: #39414b;
    --good: #6ee7a0; --bad: #ff9a8d; --link: #7cc0ff; --range: #ffffff;
    --k0: #58a6ff; --k1: #ff9d5c; --k2: #4fd1c1; --k3: #f08fd2; --k4: #e2bd4b; --k5: #b39dff;
    --k6: #a3d55d; --k7: #ff8f9f; --k8: #9aa3af;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 74rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.6rem; margin: 0.5rem 0; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 0.5rem; border-bottom: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 0.5rem; }
a { color: var(--link); }
p { max-width: 46rem; margin: 0.5rem 0; }
.faint { color: var(--faint); }
nav ul { display: flex; flex-wrap: wrap; gap: 0 1.2rem; margin: 0.5rem 0; padding: 0; list-style: none; }
.box { background: var(--panel); border: 1px solid var(--line); border-left: 5px solid var(--bad);
  border-radius: 4px; padding: 0 1rem 0.8rem; margin: 1rem 0; }
.box h2 { margin-top: 0.8rem; border: 0; }
.scroll { overflow-x: auto; margin: 0.5rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: 0.3rem; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; white-space: nowrap; }
td.name, th.name { overflow-wrap: anywhere; min-width: 11rem; font-weight: normal; }
.met, .better { color: var(--good); font-weight: 600; }
.missed, .worse, .failed { color: var(--bad); font-weight: 600; }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; padding: 0.8rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: 4px; min-width: 0; }
figcaption { overflow-wrap: anywhere; font-size: 0.9rem; margin-bottom: 0.4rem; }
figcaption b { display: block; font-weight: 600; }
figure > svg { display: block; width: 100%; height: auto; max-width: 34rem; }
svg text { font: 13px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--text); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .axis { stroke: var(--faint); stroke-width: 1; }
svg .range { stroke: var(--range); stroke-width: 1.5; }
svg .bar { fill: var(--k); fill-opacity: 0.85; }
svg .curve { fill: none; stroke: var(--k); stroke-width: 2; }
svg .curve.k0 { stroke-width: 3; }
svg .mark { fill: var(--k); }
svg .curve.k1, svg .curve.k5 { stroke-dasharray: 7 3; }
svg .curve.k2, svg .curve.k6 { stroke-dasharray: 2 3; }
svg .curve.k3, svg .curve.k7 { stroke-dasharray: 9 3 2 3; }
svg .curve.k8 { stroke-dasharray: 4 4; }
.k0 { --k: var(--k0); } .k1 { --k: var(--k1); } .k2 { --k: var(--k2); } .k3 { --k: var(--k3); }
.k4 { --k: var(--k4); } .k5 { --k: var(--k5); } .k6 { --k: var(--k6); } .k7 { --k: var(--k7); }
.k8 { --k: var(--k8); }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0.3rem 0; padding: 0; list-style: none;
  font-size: 0.85rem; }
.swatch { width: 36px; height: 14px; vertical-align: -2px; margin-right: 0.3rem; }
details { margin: 0.5rem 0; }
summary { cursor: pointer; color: var(--link); font-size: 0.9rem; }
)css";

}  // namespace bench::report
