"""The page's style sheet: one column on a narrow screen, dark where the reader wants it dark."""

STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5c6675;
--line:#e3e6eb;--real:#aeb8c6;--made:#d9622b;--heat:#b4231f;--track:#e3e6eb}
@media(prefers-color-scheme:dark){:root{--page:#14171c;--card:#1d2128;--ink:#e6e9ee;--soft:#98a2b3;
--line:#323843;--real:#5c6778;--made:#f08a4b;--heat:#f0645c;--track:#3a414d}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:40px 0 8px}
h3{font-size:15px;margin:0 0 6px;overflow-wrap:anywhere}
p{margin:6px 0;max-width:75ch;overflow-wrap:anywhere}.soft{color:var(--soft)}
.grid{display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;
min-width:0}
.verdict h3{font-size:12px;text-transform:uppercase;letter-spacing:.06em;color:var(--soft)}
.verdict .head{font-size:18px;line-height:1.3;font-weight:650;margin-bottom:8px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:7px 10px;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;color:var(--soft);font-weight:500;white-space:nowrap}
td.n,th.n{text-align:right;white-space:nowrap}td.n strong{font-size:16px}
td .soft{font-size:13px;min-width:220px;max-width:60ch}.card>svg{max-width:460px}td p{margin:0}
svg{display:block;width:100%;height:auto}svg text{font:10px system-ui,sans-serif;fill:var(--ink)}
svg text.soft{fill:var(--soft)}.scale{width:100px}
.real{fill:var(--real)}.fill{fill:var(--made)}.heat{fill:var(--heat)}.track{fill:var(--track)}
.made{fill:none;stroke:var(--made);stroke-width:1.8}
.key{display:inline-block;width:12px;height:12px;border-radius:3px;margin:0 5px 0 12px;
vertical-align:-1px}.key.r{background:var(--real)}.key.m{background:var(--made)}
summary{cursor:pointer;color:var(--soft);padding:4px 0}
"""
