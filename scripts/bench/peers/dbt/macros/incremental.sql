{#
  The newest state of each key of a table of changes, of those changes that have come since the last run. dbt's
  incremental models delete nothing: rows that are gone keep their key and are marked.
#}
{% macro newest_of(changes, columns) %}
SELECT {{ columns }}, _ingot_op = 'd' AS is_deleted, _ingot_lsn AS _position
FROM {{ changes }}
{% if is_incremental() %}
WHERE _ingot_lsn > (SELECT max(_position) FROM {{ this }})
{% endif %}
QUALIFY row_number() OVER (PARTITION BY id ORDER BY _ingot_lsn DESC, _ingot_seq DESC) = 1
{% endmacro %}

{# The position up to which a model was built, where it is built incrementally. #}
{% macro built_to() %}(SELECT max(_position) FROM {{ this }}){% endmacro %}
