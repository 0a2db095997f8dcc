{{ config(unique_key='id') }}
{{ newest_of(source('bronze', 'carts'), 'id, user_id, created_at, updated_at') }}
