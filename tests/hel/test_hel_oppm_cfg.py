"""The grammar of programs.cfg: data is read, and everything else refused without being evaluated."""

import time

import pytest

from chalicelib.core.errors import Invalid
from chalicelib.hel.oppm import cfg


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("{}", {}),
        (" { } \n", {}),
        ("{a=1}", {"a": 1}),
        ("{a=1,}", {"a": 1}),
        ("{a=1;b=2;}", {"a": 1, "b": 2}),
        ('{["a b"]="c"}', {"a b": "c"}),
        ("{['a']='c'}", {"a": "c"}),
        ('{[ "a" ] = { [ "b" ] = { c = {} } } }', {"a": {"b": {"c": {}}}}),
        ('{"x","y"}', {1: "x", 2: "y"}),
        ('{"x",a="z","y"}', {1: "x", "a": "z", 2: "y"}),
        ("{[1]='x',[3]='y'}", {1: "x", 3: "y"}),
        ("{true,false}", {1: True, 2: False}),
        ("{a=nil,b=1}", {"b": 1}),
        ("{a=1,a=2}", {"a": 2}),
        ("{nil,'x'}", {2: "x"}),
        ("{a=-1.5,b=0x10,c=1e3,d=.5}", {"a": -1.5, "b": 16, "c": 1000.0, "d": 0.5}),
        ('{a="\\"q\\" \\\\ \\n\\t"}', {"a": '"q" \\ \n\t'}),
        ("{a='it\\'s'}", {"a": "it's"}),
        ('{a="\\65\\x42\\u{43}\\z\n   D"}', {"a": "ABCD"}),
        ('{a="one\\\ntwo"}', {"a": "one\ntwo"}),
        ("{a=[[long\n\"text\"]]}", {"a": 'long\n"text"'}),
        ("{a=[==[\na]]b]==]}", {"a": "a]]b"}),
        ('{a="b".."c" .. [[d]]}', {"a": "bcd"}),
        ("-- comment\n{a=1} -- more", {"a": 1}),
        ("--[[ long\ncomment ]]{a=1--[==[x]]]==]}", {"a": 1}),
        ("{a=1, -- }\nb=2}", {"a": 1, "b": 2}),
        ("return {a=1}", {"a": 1}),
        ("\ufeff{a=1}", {"a": 1}),
        ('{a="é…"}', {"a": "é…"}),
        ("{[\"mpm.tar\"]={files={[\"master/x.lua\"]=\"//etc\",[\":master/d\"]=\"/lib\",[\"?master/c\"]=\"/\"}}}",
         {"mpm.tar": {"files": {"master/x.lua": "//etc", ":master/d": "/lib", "?master/c": "/"}}}),
        ("{_a1={}}", {"_a1": {}}),
    ],
)  # fmt: skip
def test_data_is_read(text: str, table: object) -> None:
    assert cfg.parse(text.encode()) == table


@pytest.mark.parametrize(
    ("text", "line", "near"),
    [
        ("", 1, "the end"),
        ("5", 1, "5"),
        ("{a=1", 1, "the end"),
        ("{a=1}}", 1, "}"),
        ("{a=1}\n{b=2}", 2, "{b=2}"),
        ("{a=os.exit()}", 1, "os.exit()}"),
        ("{\na=os.exit()}", 2, "os.exit()}"),
        ("{f()}", 1, "()}"),
        ("{a=function() end}", 1, "function() end}"),
        ("{end=1}", 1, "end=1}"),
        ("a={}", 1, "a={}"),
        ("{a=1+1}", 1, "+1}"),
        ("{a=b}", 1, "b}"),
        ("{a='x}", 1, "'x}"),
        ("{a='x\n'}", 1, "'x"),
        ("{a=[[x}", 1, "[[x}"),
        ("{--[[ x}", 1, "--[[ x}"),
        ("{[{}]=1}", 1, "{}]=1}"),
        ("{[true]=1}", 1, "]=1}"),
        ("{a=1 b=2}", 1, "b=2}"),
        ("{,}", 1, ",}"),
        ("{a=1x}", 1, "1x}"),
        ("{a=''..1}", 1, "1}"),
        ("\x1bLua", 1, "\x1bLua"),
    ],
)
def test_anything_else_is_refused(text: str, line: int, near: str) -> None:
    with pytest.raises(Invalid) as refused:
        cfg.parse(text.encode())
    assert refused.value.message == f"programs.cfg is no table of data: line {line}, near {near}"


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        "{a=" * 60_000,
        "{" + "--[[\n" * 50_000,
        "{" + "[[" * 100_000,
        "{[==[" * 50_000,
        "{a='" + "\\" * 200_000,
        "{" + '"' * 200_001,
        "{" + "1" * 200_000 + "x",
        "{" + "-" * 200_000,
        "{" + "''.." * 60_000,
    ],
)
def test_hostile_text_is_refused_in_linear_time(text: str) -> None:
    start = time.process_time()
    with pytest.raises(Invalid):
        cfg.parse(text.encode())
    assert time.process_time() - start < 2


def test_a_large_file_is_refused() -> None:
    with pytest.raises(Invalid, match="larger than 262144 bytes"):
        cfg.parse(b"{" + b" " * cfg.LARGEST + b"}")
