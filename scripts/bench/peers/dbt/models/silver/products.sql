{{ config(unique_key='id') }}
{{ newest_of(source('bronze', 'products'), 'id, category_id, name, price, created_at, updated_at') }}
