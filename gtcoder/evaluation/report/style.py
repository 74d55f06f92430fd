"""The page's style sheet: one column on a narrow screen, dark where the reader wants it dark.

Of the colours none needs red told from green: real rows are grey, synthetic ones orange, and errors
go from the page's own colour to its contrary in one blue.
"""

STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5c6675;
--line:#e3e6eb;--real:#aeb8c6;--made:#d9622b;--track:#e3e6eb;
--s0:#edf1f7;--s1:#cddff2;--s2:#9cc0e4;--s3:#649bd0;--s4:#2a66a6;--s5:#0b3362;
--t0:#1c2430;--t1:#1c2430;--t2:#111a26;--t3:#060b12;--t4:#fff;--t5:#fff}
@media screen and (prefers-color-scheme:dark){:root{--page:#14171c;--card:#1d2128;--ink:#e6e9ee;
--soft:#98a2b3;--line:#323843;--real:#5c6778;--made:#f08a4b;--track:#3a414d;
--s0:#262c36;--s1:#29405a;--s2:#2d5d8b;--s3:#4b8dc6;--s4:#88bdec;--s5:#d5e8fb;
--t0:#c3cad5;--t1:#e6e9ee;--t2:#fff;--t3:#0b1017;--t4:#0b1017;--t5:#0b1017}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px}h2{font-size:20px;margin:40px 0 8px}
h3{font-size:15px;margin:0 0 6px;overflow-wrap:anywhere}
p{margin:6px 0;max-width:75ch;overflow-wrap:anywhere}.soft{color:var(--soft)}
.answer{font-size:19px;line-height:1.4;margin:14px 0;padding:14px 18px;background:var(--card);
border:1px solid var(--line);border-left:6px solid var(--made);border-radius:10px;max-width:none}
.grid{display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr))}
.halves{margin-top:14px;align-items:start;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;
min-width:0}.card+.card{margin-top:14px}.grid>.card{margin-top:0}
.verdict h3{font-size:12px;text-transform:uppercase;letter-spacing:.06em;color:var(--soft)}
.verdict .head{font-size:18px;line-height:1.3;font-weight:650;margin-bottom:8px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:7px 10px;border-top:1px solid var(--line);vertical-align:top}
th{font-weight:400;overflow-wrap:anywhere}thead th{border-top:0;color:var(--soft);
font-weight:500;white-space:nowrap}
td.n,thead th.n{text-align:right}td.n{white-space:nowrap}td.n strong{font-size:16px}
small{font-weight:400;font-size:12px}
th .soft{font-size:13px;min-width:220px;max-width:60ch}td .note{font-size:12px;line-height:1.3;
white-space:normal;min-width:100px;color:var(--soft)}td .scale{margin-left:auto}th p,td p{margin:0}
.card>svg{max-width:460px}svg{display:block;width:100%;height:auto}
svg text{font:10px system-ui,sans-serif;fill:var(--ink)}svg text.soft{fill:var(--soft)}
.scale{width:100px}svg.map{max-width:none}svg.map text{font-size:11px}
.real{fill:var(--real)}.fill{fill:var(--made)}.track{fill:var(--track)}
.made{fill:none;stroke:var(--made);stroke-width:1.8}.tick{stroke:var(--soft);stroke-width:1}
.key{display:inline-block;width:12px;height:12px;border-radius:3px;margin:0 5px 0 12px;
vertical-align:-1px}.key.r{background:var(--real)}.key.m{background:var(--made)}
.legend{font-size:13px;color:var(--soft);max-width:none}.legend>span{white-space:nowrap}
.legend .key{margin-left:0}.legend>span{margin-right:14px}
.key.s0{background:var(--s0);outline:1px solid var(--line)}.key.s1{background:var(--s1)}
.key.s2{background:var(--s2)}.key.s3{background:var(--s3)}.key.s4{background:var(--s4)}
.key.s5{background:var(--s5)}
.s0 rect{fill:var(--s0)}.s1 rect{fill:var(--s1)}.s2 rect{fill:var(--s2)}
.s3 rect{fill:var(--s3)}.s4 rect{fill:var(--s4)}.s5 rect{fill:var(--s5)}
.map .s0 text{fill:var(--t0)}.map .s1 text{fill:var(--t1)}.map .s2 text{fill:var(--t2)}
.map .s3 text{fill:var(--t3)}.map .s4 text{fill:var(--t4)}.map .s5 text{fill:var(--t5)}
@media screen and (min-width:1000px){svg.map{max-width:100%}}
summary{cursor:pointer;color:var(--soft);padding:4px 0}
@media screen and (max-width:640px){
main{padding:16px 12px 48px}h1{font-size:22px}.answer{font-size:17px}
thead{display:none}tbody,table{display:block}
tr{display:grid;grid-template-columns:repeat(3,1fr);gap:2px 10px;padding:8px 0;
border-top:1px solid var(--line)}tr:first-child{border-top:0}
th,td{border-top:0;padding:0}th[scope=row]{grid-column:1/-1;margin-bottom:3px}small{font-size:11px}
td.n{text-align:left;white-space:normal}td:empty{display:none}td .scale{margin:8px 0 0}
td.n::before{content:attr(data-head);display:block;font-size:12px;color:var(--soft)}
th .soft{min-width:0}}
@media print{body{background:#fff;font-size:12px}main{max-width:none;padding:0}
*{print-color-adjust:exact}.wide{overflow:visible}svg.map{max-width:100%}
.grid>.card,.card:has(.map),tr,svg{break-inside:avoid}h2,h3{break-after:avoid}
details::details-content{content-visibility:visible;height:auto}}
"""
