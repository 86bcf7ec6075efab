"""What takes few steps for most values is what the long way gives for all of them."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liquid.builtin.expressions import Path

from destination.literals import number_text
from destination.template import Allowance, Template, TemplateError
from destination.template.plain import ENVIRONMENT
from destination.template.rendering import MAX_WORK, Rendering
from destination.template.sinks import Text
from destination.template.values import FilterError, weigh

names = st.sampled_from(["v", "w", "a", "size", "first", "last", "0", "x-y"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=200)
    | st.decimals(allow_nan=False)
    | st.sampled_from([2**64 - 1, 2**64, -(2**64), "\ud800", "x" * 100_001])
    | st.sampled_from([13_999, 14_000, 20_000]).map(lambda bits: 1 << bits)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def found(template: Template, row: dict[str, Any], work: int) -> tuple[Any, int]:
    """The value or the failure, and what is left."""
    allowance = Allowance(work=work)
    try:
        return template.value(row, allowance=allowance, missing="missing"), allowance.work
    except TemplateError as error:
        return error.message, allowance.work


@given(
    path=st.lists(names.filter(lambda name: name != "0"), min_size=1, max_size=3),
    index=st.sampled_from(["", "['0']", "[0]", "[w]"]),
    row=st.dictionaries(names, values, max_size=4),
    work=st.sampled_from([MAX_WORK, 5]),
)
def test_a_path_leads_where_it_led(
    path: list[str], index: str, row: dict[str, Any], work: int
) -> None:
    """Through objects, lists and texts, to the same value or failure and at the same cost."""
    template = Template.parse(f"{{{{ {'.'.join(path)}{index} }}}}")
    (printed,) = template.outputs()
    ours = found(template, row, work)
    printed.expression.__class__ = Path

    assert found(template, row, work) == ours


COSTS = {
    "plain": 1,
    "x" * 640: 11,
    "{{ name }}": 6,
    "{{ nothing }}": 5,
    "{{ number }}": 5,
    "{{ long }}": 26,
    "{{ long | upcase }}": 48,
    "{{ long | raw }}": 48,
    "{{ tags }}": 7,
    "{{ address.city }}": 7,
    "{{ tags.size }}": 6,
    "{{ name | default: 'Somebody' }}": 9,
    "{{ '2026-01-31' | date: '%Y' }}": 44,
    "{% if number > 5 %}{{ name }}{% else %}{{ long }}{% endif %}": 14,
    "{% for tag in tags %}{{ tag }}{% endfor %}": 19,
    "{% assign x = long %}{{ x }}": 52,
    "{% capture x %}{{ name }}{% endcapture %}{{ x }}": 15,
    "{% cycle name, number %}": 7,
}


@pytest.mark.parametrize("source", COSTS, ids=lambda source: source[:50])
def test_nothing_is_free(source: str) -> None:
    """Each node, expression and 64 characters cost one; one less than its cost is too little."""
    row = {
        "name": "Ada",
        "number": 7,
        "long": "x" * 640,
        "tags": ["a", "b"],
        "address": {"city": "London"},
    }
    template, allowance = Template.parse(source), Allowance(work=COSTS[source])
    template.write(row, Text(), allowance=allowance)

    assert allowance.work == 0
    with pytest.raises(TemplateError, match="the template does too much work"):
        template.write(row, Text(), allowance=Allowance(work=COSTS[source] - 1))


def weight(value: Any) -> int | str:
    try:
        return weigh(value)
    except FilterError as error:
        return str(error.message)


@given(values)
def test_a_value_weighs_the_same_alone_and_in_a_list(value: Any) -> None:
    """A list of one is eight characters more, and too large when its item is."""
    alone, listed = weight(value), weight([value])

    assert listed == (alone if isinstance(alone, str) else alone + 8)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_prints_like_the_decimal_that_it_shows(number: float) -> None:
    """Its shortest digits, without an exponent where JavaScript needs none."""
    assert number_text(number) == number_text(Decimal(repr(number)))


@given(
    number=st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9) | st.decimals(-9, 9, places=3),
    places=st.integers(-3, 6),
)
def test_a_number_is_rounded_as_it_is_written(number: Any, places: int) -> None:
    """Half away from zero, whether there is anything to round or not."""
    exact = Decimal(str(float(number) if isinstance(number, Decimal) else number))
    rounded = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    shown = Template.parse("{{ number | round: places }}").render(
        {"number": number, "places": places}
    )

    assert shown == number_text(float(rounded))


def test_a_number_that_no_float_holds_is_not_rounded() -> None:
    """It keeps all its digits."""
    number = 12345678901234567891

    assert Template.parse("{{ number | round: -1 }}").value({"number": number}) == number


def test_a_rendering_is_asked_for_nothing_else() -> None:
    """What no rendering of Liquid has is not made up."""
    rendering = Rendering(ENVIRONMENT.from_string(""), {}, {}, None)

    assert rendering.loops == []
    assert not hasattr(rendering, "nothing")


@pytest.mark.parametrize("option", ["context", "meter", "value", "nope"])
def test_an_option_that_a_filter_does_not_know_fails_on_its_row(option: str) -> None:
    """Whatever it is called: nothing of how a filter is called can be reached."""
    with pytest.raises(TemplateError, match="line 2: upcase cannot take these values"):
        Template.parse(f"\n{{{{ name | upcase: {option}: 1 }}}}").render({"name": "Ada"})
