"""Lists in blocks: a change renders its block only, and the result does not depend on earlier changes."""

import random
import zlib
from collections.abc import Sequence

import pytest

from chalicelib.core.catalogues import blocks, segments
from chalicelib.core.catalogues.blocks import Blocks, Frame, Texts

FRAME = Frame(b"[", b",\n", b"]\n", b"none")


def render(keys: Sequence[str]) -> bytes:
    return ",".join(keys).encode()


def built(order: Sequence[str]) -> Blocks:
    return Blocks(FRAME).arranged(order, order, render)


def keys_of(made: Blocks) -> list[str]:
    return [key for block in made.blocks for key in block.keys]


def test_the_text_is_that_of_all_keys_within_the_frame() -> None:
    order = [f"key-{number}" for number in range(1000)]
    made = built(order)
    text = b"[" + b",\n".join(render(block.keys) for block in made.blocks) + b"]\n"
    assert (keys_of(made), len(made.blocks) > 3) == (order, True)
    assert (made.text(), made.whole().text, made.text_size) == (text, text, len(text))
    assert made.whole().crc == zlib.crc32(text)
    assert made.lines == text.count(b"\n") - 1


def test_blocks_without_keys_or_text_are_empty() -> None:
    for made in (Blocks(FRAME), Blocks(FRAME).arranged(["a", "b"], ["a", "b"], lambda keys: b"")):
        assert (made.whole().text, made.text(), made.text_size, made.lines) == (b"none", b"none", 4, 0)


def test_an_empty_block_between_two_others_needs_no_separator() -> None:
    order = [f"key-{number}" for number in range(1000)]
    middle = built(order).blocks[1].keys
    made = Blocks(FRAME).arranged(order, order, lambda keys: b"" if keys == middle else b"x")
    assert made.whole().text == b"[" + b",\n".join([b"x"] * (len(made.blocks) - 1)) + b"]\n"


def test_a_change_renders_only_the_block_of_its_key() -> None:
    order = [f"key-{number}" for number in range(20_000)]
    before = built(order)
    rendered: list[str] = []

    def note(keys: Sequence[str]) -> bytes:
        rendered.extend(keys)
        return b"new"

    after = before.arranged(order, ["key-777"], note)
    assert "key-777" in rendered
    assert len(rendered) <= blocks.MOST
    assert sum(one is other for one, other in zip(before.blocks, after.blocks, strict=True)) == len(before.blocks) - 1


def test_a_block_has_a_limited_number_of_keys() -> None:
    order = [key for key in (f"key-{number}" for number in range(3000)) if zlib.crc32(key.encode()) % blocks.MEAN]
    assert [len(block.keys) for block in built(order[:600]).blocks] == [256, 256, 88]


@pytest.mark.parametrize("seed", range(40))
def test_updated_blocks_equal_new_ones(seed: int) -> None:
    pick = random.Random(seed)
    order = [f"key-{number}" for number in range(1500)]
    before = built(order[:1200])
    after = [key for key in order if pick.random() < pick.choice((0.9, 1))]
    for _ in range(pick.choice((0, 3, 100))):
        after.insert(pick.randrange(len(after)), after.pop(pick.randrange(len(after))))
    changed = {*order[1200:], *pick.sample(order, 5)}
    assert before.arranged(after, changed, render).blocks == built(after).blocks


def test_a_text_is_spliced_from_the_one_before() -> None:
    texts, order = Texts(), [f"key-{number}" for number in range(5000)]
    made = built(order)
    assert texts.of("list", made) is texts.of("list", made)
    for removed in ("key-0", "key-77", "key-4999"):
        order.remove(removed)
        made = made.arranged(order, [], render)
        assert texts.of("list", made) == made.whole().text


def test_texts_have_a_limited_size_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "TEXT_BYTES", 250)
    texts, made = Texts(), built(["a" * 100])
    first = texts.of("first", made)
    texts.of("second", made)
    assert texts.of("first", made) is first
    texts.of("third", made)
    texts.of("fourth", made)
    assert texts.of("first", made) is not first


def test_an_etag_identifies_the_text() -> None:
    order = [f"key-{number}" for number in range(1000)]
    assert len({built(order).etag(), built(order[::-1]).etag(), built(order[1:]).etag(), Blocks(FRAME).etag()}) == 4
    assert built(order).etag() == built(order[5:]).arranged(order, order[:5], render).etag()


def test_the_gzip_file_of_equal_lists_is_equal() -> None:
    order = [f"key-{number}" for number in range(3000)]
    updated = built(order[100:]).arranged(order, order[:100], render)
    assert segments.gzip_file(updated.whole()) == segments.gzip_file(built(order).whole())
