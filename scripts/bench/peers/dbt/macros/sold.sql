{# An item that was sold: its group is computed without the others, and stays with 0 units where it had none else. #}
{% macro sold() %}NOT orders.is_deleted AND NOT items.is_deleted AND orders.status NOT IN ('cancelled', 'refunded'){% endmacro %}
