{# Schemas have the names that the pipeline's layers have, without that of the target before them. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name or target.schema }}
{%- endmacro %}
