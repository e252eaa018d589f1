{#
    Cents in US dollars, to the last decimal: a multiplication of DECIMALs is exact, a division
    would give a DOUBLE. Where an amount is in another currency, the dollars are NULL.
#}

{% macro in_usd(amount, currency) -%}
    case when {{ currency }} = 'USD' then {{ amount }} * 0.01 end
{%- endmacro %}

{# The sum over a group. Rows without a currency count for nothing. #}
{% macro total_usd(amount, currency) -%}
    case
        when coalesce(bool_and({{ currency }} = 'USD'), true)
            then coalesce(sum({{ amount }}), 0) * 0.01
    end
{%- endmacro %}

{#
    An amount in a currency's smallest unit in its major one, such as cents in dollars: exact, a
    DECIMAL of 18 decimals. ISO 4217 says which currencies do not have a hundred units in one.
#}
{% macro in_major_unit(amount, currency) -%}
    {{ amount }} * case
        when {{ currency }} in (
            'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
            'VND', 'VUV', 'XAF', 'XOF', 'XPF'
        )
            then 1
        when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 0.001
        else 0.01
    end
{%- endmacro %}

{# A DECIMAL as text, without the zeros that only fill its scale: 12.5, 100, 0. #}
{% macro plain_text(amount) -%}
    rtrim(rtrim({{ amount }}::VARCHAR, '0'), '.')
{%- endmacro %}
