{% macro cents(x) %}{{ x }} * 0.01{% endmacro %}
