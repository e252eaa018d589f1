{#
    Ratios as DECIMALs of six decimals, rounded half up and away from zero. Whole numbers are
    divided, since DuckDB divides DECIMALs as DOUBLEs. NULL where it would be by zero.
#}

{# One count in another, such as tokens. #}
{% macro ratio(part, whole) -%}
    {{ _millionths('(' ~ part ~ ')::HUGEINT * 1000000', whole) }}
{%- endmacro %}

{# One amount of money in another. Of both, the first twelve decimals count. #}
{% macro ratio_of_amounts(part, whole) -%}
    {{ _millionths(_units(part) ~ ' * 1000000', _units(whole)) }}
{%- endmacro %}

{# What a million costs, say of tokens. Of the amount, the first twelve decimals count. #}
{% macro price_of_million(amount, count) -%}
    {{ _millionths(_units(amount), count) }}
{%- endmacro %}

{% macro _units(amount) -%}
    (({{ amount }})::DECIMAL(38, 12) * 1000000000000)::HUGEINT
{%- endmacro %}

{% macro _millionths(dividend, divisor) -%}
    case
        when {{ divisor }} > 0
            then (
                sign({{ dividend }})
                * ((2 * abs({{ dividend }}) + {{ divisor }}) // (2 * {{ divisor }}))
            )::DECIMAL(32, 0) * 0.000001
    end
{%- endmacro %}
